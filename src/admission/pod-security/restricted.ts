import type { corev1 } from "../../api/index.ts";
import { procMount } from "./baseline.ts";
import {
  type Check,
  type CheckPod,
  containersOf,
  hasOwnUsers,
  isAllowedSeccomp,
  isWindows,
  named,
  namesWhere,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from "./check.ts";

const unless =
  (isExcused: (pod: PodLike) => boolean, check: CheckPod): CheckPod =>
  (pod) =>
    isExcused(pod) ? undefined : check(pod);

/** What a hardened pod says on top of the baseline. As `pod-security-admission/policy/check_*.go`, one a rule. */
export const restrictedChecks: readonly Check[] = [
  {
    id: "allowPrivilegeEscalation",
    level: "restricted",
    versions: [
      { since: 8, check: allowPrivilegeEscalation },
      { since: 25, check: unless(isWindows, allowPrivilegeEscalation) },
    ],
  },
  {
    id: "capabilities_restricted",
    level: "restricted",
    versions: [
      { since: 22, check: capabilities, overrides: ["capabilities_baseline"] },
      { since: 25, check: unless(isWindows, capabilities), overrides: ["capabilities_baseline"] },
    ],
  },
  {
    id: "procMount_restricted",
    level: "restricted",
    versions: [{ since: 35, check: procMount, overrides: ["procMount"] }],
  },
  {
    id: "restrictedVolumes",
    level: "restricted",
    versions: [{ since: 0, check: restrictedVolumes, overrides: ["hostPathVolumes"] }],
  },
  {
    id: "runAsNonRoot",
    level: "restricted",
    versions: [
      { since: 0, check: runAsNonRoot },
      { since: 35, check: unless(hasOwnUsers, runAsNonRoot) },
    ],
  },
  {
    id: "runAsUser",
    level: "restricted",
    versions: [
      { since: 23, check: runAsUser },
      { since: 35, check: unless(hasOwnUsers, runAsUser) },
    ],
  },
  {
    id: "seccompProfile_restricted",
    level: "restricted",
    versions: [
      { since: 19, check: seccompProfile, overrides: ["seccompProfile_baseline"] },
      { since: 25, check: unless(isWindows, seccompProfile), overrides: ["seccompProfile_baseline"] },
    ],
  },
];

function allowPrivilegeEscalation(pod: PodLike) {
  const bad = namesWhere(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${named("container", bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function capabilities(pod: PodLike) {
  const undropped = namesWhere(
    pod,
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"),
  );
  const addedOf = ({ securityContext }: { securityContext?: corev1.SecurityContext }) =>
    (securityContext?.capabilities?.add ?? []).filter((name) => name !== "NET_BIND_SERVICE");
  const adding = namesWhere(pod, (container) => addedOf(container).length > 0);
  const details: string[] = [];
  if (undropped.length > 0)
    details.push(`${named("container", undropped)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const names = quoted(sorted(containersOf(pod).flatMap(addedOf)));
    details.push(
      `${named("container", adding)} must not include ${names} in securityContext.capabilities.add`,
    );
  }
  if (details.length === 0) return undefined;
  return { reason: "unrestricted capabilities", detail: details.join("; ") };
}

type VolumeType = Exclude<keyof corev1.Volume, "name">;
const allowedVolumes: ReadonlySet<VolumeType> = new Set<VolumeType>([
  ...(["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image"] as const),
  ...(["persistentVolumeClaim", "projected", "secret"] as const),
]);

function restrictedVolumes({ spec }: PodLike) {
  const typesOf = (volume: corev1.Volume) =>
    Object.entries(volume).flatMap(([key, value]) =>
      key !== "name" && value !== undefined && value !== null ? [key as VolumeType] : [],
    );
  const bad = (spec.volumes ?? []).filter(
    (volume) => !typesOf(volume).some((type) => allowedVolumes.has(type)),
  );
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => typesOf(volume)[0] ?? "unknown"));
  const names = bad.map(({ name }) => name);
  const what = `${plural("restricted volume type", "restricted volume types", types)} ${quoted(types)}`;
  return {
    reason: "restricted volume types",
    detail: `${named("volume", names)} ${plural("uses", "use", names)} ${what}`,
  };
}

function runAsNonRoot(pod: PodLike) {
  const ofPod = pod.spec.securityContext?.runAsNonRoot;
  const explicit = namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const who = setters(ofPod === false, explicit);
  const reason = "runAsNonRoot != true";
  if (who) return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  const unset =
    ofPod === true
      ? []
      : namesWhere(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (unset.length === 0) return undefined;
  return { reason, detail: `pod or ${named("container", unset)} must set securityContext.runAsNonRoot=true` };
}

function runAsUser(pod: PodLike) {
  const who = setters(
    pod.spec.securityContext?.runAsUser === 0,
    namesWhere(pod, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return who ? { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` } : undefined;
}

function seccompProfile(pod: PodLike) {
  const ofPod = pod.spec.securityContext?.seccompProfile;
  const profileOf = ({ securityContext }: { securityContext?: corev1.SecurityContext }) =>
    securityContext?.seccompProfile;
  const isBad = (profile: { type: string } | undefined) =>
    profile !== undefined && !isAllowedSeccomp(profile);
  const bad = containersOf(pod).filter((container) => isBad(profileOf(container)));
  const who = setters(
    isBad(ofPod),
    bad.map(({ name }) => name),
  );
  if (who) {
    const types = [...(isBad(ofPod) ? [ofPod!] : []), ...bad.map((c) => profileOf(c)!)].map(
      ({ type }) => type,
    );
    return {
      reason: "seccompProfile",
      detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}`,
    };
  }
  const unset = ofPod ? [] : namesWhere(pod, (container) => profileOf(container) === undefined);
  if (unset.length === 0) return undefined;
  return {
    reason: "seccompProfile",
    detail: `pod or ${named("container", unset)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
}
