import {
  type NamespaceOptions,
  RuntimeError,
  type SeccompProfile,
  type SecurityContext,
} from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";

type NamespaceMode = Message<"NamespaceOption">["pid"];

const pidModes = { container: "CONTAINER", pod: "POD", node: "NODE" } as const satisfies Record<
  NamespaceOptions["pid"],
  NamespaceMode
>;

export function namespacesToCri(options: NamespaceOptions): Sparse<"NamespaceOption"> {
  const mode = (of: "pod" | "node") => (of === "node" ? "NODE" : "POD");
  const mapping = idMappingsToCri(options.user);
  return {
    network: mode(options.network),
    ipc: mode(options.ipc),
    pid: pidModes[options.pid],
    // NODE is the host's: a message with no mode would ask for a private one.
    usernsOptions: mapping ? { mode: "POD", uids: mapping, gids: mapping } : { mode: "NODE" },
  };
}

export const idMappingsToCri = (user: NamespaceOptions["user"]) =>
  user && [{ hostId: user.hostId, containerId: 0, length: user.length }];

/** Nothing given is CRI's zero: the pod's own network and IPC, and one PID namespace for all of it. */
export function namespacesFromCri(options: Message<"NamespaceOption"> | null): NamespaceOptions {
  const mode = (of: NamespaceMode | undefined) => (of === "NODE" ? "node" : "pod");
  const user = userNamespace(options?.usernsOptions ?? null);
  return {
    network: mode(options?.network),
    ipc: mode(options?.ipc),
    pid: pidMode(options),
    ...(user && { user }),
  };
}

function pidMode(options: Message<"NamespaceOption"> | null): NamespaceOptions["pid"] {
  switch (options?.pid) {
    case "CONTAINER":
    // A guest of one among containers that have their own.
    case "TARGET":
      return "container";
    case "NODE":
      return "node";
    default:
      return "pod";
  }
}

/** The container whose PID namespace is to be joined. */
export function pidTargetFromCri(options: Message<"NamespaceOption"> | null): string | undefined {
  return options?.pid === "TARGET" ? options.targetId : undefined;
}

function userNamespace(user: Message<"UserNamespace"> | null): NamespaceOptions["user"] {
  if (user?.mode !== "POD") return undefined;
  const [uids, ...more] = user.uids;
  const isOne = uids && more.length === 0 && user.gids.length === 1 && user.gids[0]!.hostId === uids.hostId;
  if (!isOne || uids.containerId !== 0)
    throw new RuntimeError(
      "InvalidArgument",
      "a user namespace needs one range, from 0, the same for uids and gids",
    );
  return { hostId: uids.hostId, length: uids.length };
}

export function seccompToCri(profile: SeccompProfile | undefined): Sparse<"SecurityProfile"> | undefined {
  return profile && { profileType: profile.type, localhostRef: profile.path };
}

export function seccompFromCri(profile: Message<"SecurityProfile"> | null): SeccompProfile | undefined {
  if (!profile) return undefined;
  const { profileType: type, localhostRef: path } = profile;
  return type === "Localhost" ? { type, path } : { type };
}

export function securityToCri(
  security: SecurityContext,
  namespaces: NamespaceOptions,
  pidTarget: string | undefined,
): Sparse<"LinuxContainerSecurityContext"> {
  const isMasked = security.procMount === "Default" && !security.privileged;
  return {
    privileged: security.privileged,
    namespaceOptions: {
      ...namespacesToCri(namespaces),
      ...(pidTarget !== undefined && { pid: "TARGET", targetId: pidTarget }),
    },
    runAsUser: wrapped(security.runAsUser),
    runAsGroup: wrapped(security.runAsGroup),
    runAsUsername: security.runAsUsername,
    supplementalGroups: security.supplementalGroups,
    supplementalGroupsPolicy: security.supplementalGroupsPolicy,
    readonlyRootfs: security.readOnlyRootfs,
    noNewPrivs: security.noNewPrivileges,
    capabilities: {
      addCapabilities: security.capabilities.add,
      dropCapabilities: security.capabilities.drop,
    },
    seccomp: seccompToCri(security.privileged ? { type: "Unconfined" } : security.seccomp),
    apparmor: apparmorToCri(security.apparmorProfile),
    selinuxOptions: security.selinux,
    ...(isMasked && { maskedPaths, readonlyPaths }),
  };
}

export function securityFromCri(security: Message<"LinuxContainerSecurityContext"> | null): SecurityContext {
  const ambient = security?.capabilities?.addAmbientCapabilities ?? [];
  if (ambient.length > 0) throw new RuntimeError("InvalidArgument", "ambient capabilities are not supported");
  const seccomp = seccompFromCri(security?.seccomp ?? null);
  return {
    privileged: security?.privileged ?? false,
    ...(security?.runAsUser && { runAsUser: security.runAsUser.value }),
    ...(security?.runAsUsername && { runAsUsername: security.runAsUsername }),
    ...(security?.runAsGroup && { runAsGroup: security.runAsGroup.value }),
    supplementalGroups: security?.supplementalGroups ?? [],
    supplementalGroupsPolicy: security?.supplementalGroupsPolicy ?? "Merge",
    readOnlyRootfs: security?.readonlyRootfs ?? false,
    noNewPrivileges: security?.noNewPrivs ?? false,
    capabilities: {
      add: security?.capabilities?.addCapabilities ?? [],
      drop: security?.capabilities?.dropCapabilities ?? [],
    },
    ...(seccomp && { seccomp }),
    procMount: procMountFromCri(security),
    ...apparmorFromCri(security?.apparmor ?? null),
    ...(security?.selinuxOptions && { selinux: security.selinuxOptions }),
  };
}

/**
 * The kubelet says `Unmasked` by leaving both lists empty, and so does a client that never heard of them. Closed by
 * default: who wants an open /proc is privileged.
 */
function procMountFromCri(security: Message<"LinuxContainerSecurityContext"> | null): "Default" | "Unmasked" {
  return security?.privileged ? "Unmasked" : "Default";
}

/** As the kubelet's `securitycontext` lists them for a default proc mount. */
const maskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

function apparmorToCri(profile: string | undefined): Sparse<"SecurityProfile"> | undefined {
  if (profile === undefined) return undefined;
  if (profile === "unconfined") return { profileType: "Unconfined" };
  const localhost = /^localhost\/(.*)$/.exec(profile)?.[1];
  return localhost === undefined
    ? { profileType: "RuntimeDefault" }
    : { profileType: "Localhost", localhostRef: localhost };
}

function apparmorFromCri(profile: Message<"SecurityProfile"> | null): { apparmorProfile?: string } {
  switch (profile?.profileType) {
    case "Localhost":
      return { apparmorProfile: `localhost/${profile.localhostRef}` };
    case "Unconfined":
      return { apparmorProfile: "unconfined" };
    default:
      return {};
  }
}

export const wrapped = (value: number | undefined) => (value === undefined ? undefined : { value });
