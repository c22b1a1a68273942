import {
  type AnyContainer,
  type Check,
  type CheckPod,
  containersOf,
  hasOwnUsers,
  isAllowedSeccomp,
  named,
  namesWhere,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from "./check.ts";

const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/";

function appArmorProfile(pod: PodLike) {
  const isBad = (profile: { type: string } | undefined) =>
    profile !== undefined && profile.type !== "RuntimeDefault" && profile.type !== "Localhost";
  const ofPod = pod.spec.securityContext?.appArmorProfile;
  const bad = containersOf(pod).filter(({ securityContext }) => isBad(securityContext?.appArmorProfile));
  const types = [
    ...(isBad(ofPod) ? [ofPod!.type] : []),
    ...bad.map((c) => c.securityContext!.appArmorProfile!.type),
  ];
  const annotations = Object.entries(pod.annotations)
    .filter(([key, value]) => key.startsWith(appArmorAnnotation) && !isAllowedAppArmor(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const who = setters(
    isBad(ofPod),
    bad.map(({ name }) => name),
  );
  const all = [
    ...(who ? [who] : []),
    ...(annotations.length ? [plural("annotation", "annotations", annotations)] : []),
  ];
  if (all.length === 0) return undefined;
  const values = [...sorted(types), ...annotations];
  return {
    reason: plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values),
    detail: `${all.join(" and ")} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

const isAllowedAppArmor = (profile: string) =>
  profile === "" || profile === "runtime/default" || profile.startsWith("localhost/");

const defaultCapabilities = new Set(
  `AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT`.split(
    " ",
  ),
);

function addedCapabilities(pod: PodLike) {
  const forbiddenOf = ({ securityContext }: AnyContainer) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name));
  const bad = namesWhere(pod, (container) => forbiddenOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = quoted(sorted(containersOf(pod).flatMap(forbiddenOf)));
  return {
    reason: "non-default capabilities",
    detail: `${named("container", bad)} must not include ${names} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: PodLike) {
  const used = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field]);
  if (used.length === 0) return undefined;
  return { reason: "host namespaces", detail: used.map((field) => `${field}=true`).join(", ") };
}

function hostPathVolumes({ spec }: PodLike) {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return bad.length === 0 ? undefined : { reason: "hostPath volumes", detail: named("volume", bad) };
}

function hostPorts(pod: PodLike) {
  const portsOf = ({ ports }: AnyContainer) =>
    (ports ?? []).filter(({ hostPort }) => hostPort).map(({ hostPort }) => String(hostPort));
  const bad = namesWhere(pod, (container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(containersOf(pod).flatMap(portsOf));
  const what = plural("hostPort", "hostPorts", ports);
  return {
    reason: "hostPort",
    detail: `${named("container", bad)} ${plural("uses", "use", bad)} ${what} ${ports.join(", ")}`,
  };
}

function hostsOfProbesAndHooks(pod: PodLike) {
  const hostsOf = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: AnyContainer): string[] =>
    [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop]
      .flatMap((handler) => [handler?.httpGet?.host, handler?.tcpSocket?.host])
      .filter((host): host is string => Boolean(host));
  const bad = sorted(namesWhere(pod, (container) => hostsOf(container).length > 0));
  if (bad.length === 0) return undefined;
  const hosts = sorted(containersOf(pod).flatMap(hostsOf));
  const what = named("probe or lifecycle host", hosts);
  return {
    reason: "probe or lifecycle host",
    detail: `${named("container", bad)} ${plural("uses", "use", bad)} ${what}`,
  };
}

function privileged(pod: PodLike) {
  const bad = namesWhere(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return {
    reason: "privileged",
    detail: `${named("container", bad)} must not set securityContext.privileged=true`,
  };
}

export function procMount(pod: PodLike) {
  const mountOf = ({ securityContext }: AnyContainer) => securityContext?.procMount ?? "Default";
  const bad = namesWhere(pod, (container) => mountOf(container) !== "Default");
  if (bad.length === 0) return undefined;
  const values = sorted(containersOf(pod).map(mountOf)).filter((value) => value !== "Default");
  return {
    reason: "procMount",
    detail: `${named("container", bad)} must not set securityContext.procMount to ${quoted(values)}`,
  };
}

function seLinuxOptions(allowedTypes: readonly string[]): CheckPod {
  type Options = { type?: string; user?: string; role?: string } | undefined;
  const badType = (options: Options) => Boolean(options?.type) && !allowedTypes.includes(options!.type!);
  const isBad = (options: Options) => badType(options) || Boolean(options?.user) || Boolean(options?.role);
  return (pod) => {
    const ofPod = pod.spec.securityContext?.seLinuxOptions;
    const bad = containersOf(pod).filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions));
    const who = setters(
      isBad(ofPod),
      bad.map(({ name }) => name),
    );
    if (!who) return undefined;
    const all = [ofPod, ...bad.map(({ securityContext }) => securityContext!.seLinuxOptions)];
    const types = sorted(all.filter(badType).map((options) => options!.type!));
    const data = [
      ...(types.length > 0 ? [named("type", types)] : []),
      ...(all.some((options) => options?.user) ? ["user may not be set"] : []),
      ...(all.some((options) => options?.role) ? ["role may not be set"] : []),
    ];
    return {
      reason: "seLinuxOptions",
      detail: `${who} set forbidden securityContext.seLinuxOptions: ${data.join("; ")}`,
    };
  };
}

const seccompAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
const seccompContainerAnnotation = "container.seccomp.security.alpha.kubernetes.io/";

/** Before v1.19 the profile was in annotations. */
function seccompAnnotations(pod: PodLike) {
  const keys = [seccompAnnotation, ...containersOf(pod).map(({ name }) => seccompContainerAnnotation + name)];
  const isAllowed = (value: string) =>
    value === "runtime/default" || value === "docker/default" || value.startsWith("localhost/");
  const bad = keys.filter((key) => pod.annotations[key] !== undefined && !isAllowed(pod.annotations[key]));
  if (bad.length === 0) return undefined;
  const shown = sorted(bad.map((key) => `${key}=${JSON.stringify(pod.annotations[key])}`));
  return {
    reason: "seccompProfile",
    detail: `forbidden ${plural("annotation", "annotations", shown)} ${shown.join(", ")}`,
  };
}

function seccompProfile(pod: PodLike) {
  const isBad = (profile: { type: string } | undefined) =>
    profile !== undefined && !isAllowedSeccomp(profile);
  const ofPod = pod.spec.securityContext?.seccompProfile;
  const bad = containersOf(pod).filter(({ securityContext }) => isBad(securityContext?.seccompProfile));
  const who = setters(
    isBad(ofPod),
    bad.map(({ name }) => name),
  );
  if (!who) return undefined;
  const profiles = [...(isBad(ofPod) ? [ofPod!] : []), ...bad.map((c) => c.securityContext!.seccompProfile!)];
  const values = quoted(sorted(profiles.map(({ type }) => type)));
  return {
    reason: "seccompProfile",
    detail: `${who} must not set securityContext.seccompProfile.type to ${values}`,
  };
}

/** Namespaced, and isolated from other pods and the node; by the 1.x since which. */
const safeSysctls: readonly (readonly [number, readonly string[]])[] = [
  [
    0,
    [
      "kernel.shm_rmid_forced",
      "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",
      "net.ipv4.ip_unprivileged_port_start",
    ],
  ],
  [27, ["net.ipv4.ip_local_reserved_ports"]],
  [
    29,
    ["tcp_keepalive_time", "tcp_fin_timeout", "tcp_keepalive_intvl", "tcp_keepalive_probes"].map(
      (name) => `net.ipv4.${name}`,
    ),
  ],
  [32, ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]],
];

function sysctls(version: number): CheckPod {
  const safe = new Set(safeSysctls.flatMap(([since, names]) => (since <= version ? names : [])));
  return ({ spec }) => {
    const bad = (spec.securityContext?.sysctls ?? []).filter(({ name }) => !safe.has(name));
    if (bad.length === 0) return undefined;
    return { reason: "forbidden sysctls", detail: bad.map(({ name }) => name).join(", ") };
  };
}

function windowsHostProcess(pod: PodLike) {
  const isBad = ({ securityContext }: { securityContext?: { windowsOptions?: { hostProcess?: boolean } } }) =>
    securityContext?.windowsOptions?.hostProcess === true;
  const who = setters(isBad(pod.spec), namesWhere(pod, isBad));
  if (!who) return undefined;
  return {
    reason: "hostProcess",
    detail: `${who} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}

/** What no pod of an ordinary application needs. As `pod-security-admission/policy/check_*.go`, one a rule. */
export const baselineChecks: readonly Check[] = [
  { id: "appArmorProfile", level: "baseline", versions: [{ since: 0, check: appArmorProfile }] },
  { id: "capabilities_baseline", level: "baseline", versions: [{ since: 0, check: addedCapabilities }] },
  { id: "hostNamespaces", level: "baseline", versions: [{ since: 0, check: hostNamespaces }] },
  { id: "hostPathVolumes", level: "baseline", versions: [{ since: 0, check: hostPathVolumes }] },
  { id: "hostPorts", level: "baseline", versions: [{ since: 0, check: hostPorts }] },
  {
    id: "hostProbesAndHostLifecycle",
    level: "baseline",
    versions: [{ since: 34, check: hostsOfProbesAndHooks }],
  },
  { id: "privileged", level: "baseline", versions: [{ since: 0, check: privileged }] },
  {
    id: "procMount",
    level: "baseline",
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: (pod) => (hasOwnUsers(pod) ? undefined : procMount(pod)) },
    ],
  },
  {
    id: "seLinuxOptions",
    level: "baseline",
    versions: [
      { since: 0, check: seLinuxOptions(["container_t", "container_init_t", "container_kvm_t"]) },
      {
        since: 31,
        check: seLinuxOptions(["container_t", "container_init_t", "container_kvm_t", "container_engine_t"]),
      },
    ],
  },
  {
    id: "seccompProfile_baseline",
    level: "baseline",
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: seccompProfile },
    ],
  },
  {
    id: "sysctls",
    level: "baseline",
    versions: [
      { since: 0, check: sysctls(0) },
      { since: 27, check: sysctls(27) },
      { since: 29, check: sysctls(29) },
      { since: 32, check: sysctls(32) },
    ],
  },
  { id: "windowsHostProcess", level: "baseline", versions: [{ since: 0, check: windowsHostProcess }] },
];
