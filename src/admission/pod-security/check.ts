import type { corev1 } from "../../api/index.ts";

export type AnyContainer = corev1.Container | corev1.EphemeralContainer;

/** What a pod, or a workload's template of pods, is judged by. */
export interface PodLike {
  annotations: Readonly<Record<string, string>>;
  spec: corev1.PodSpec;
}

/** Why a pod is not allowed: in few words, and with the names of what is at fault. */
export interface Violation {
  reason: string;
  detail: string;
}

export type CheckPod = (pod: PodLike) => Violation | undefined;

/** One rule, in the forms that it had over time. */
export interface Check {
  id: string;
  level: "baseline" | "restricted";
  /** From which 1.x on which form holds; ascending. */
  versions: readonly { since: number; check: CheckPod; overrides?: readonly string[] }[];
}

export const containersOf = ({ spec }: PodLike): AnyContainer[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...(spec.ephemeralContainers ?? []),
];

export const plural = (one: string, more: string, { length }: { length: number }): string =>
  length === 1 ? one : more;

export const quoted = (items: readonly string[]): string => items.map((item) => `"${item}"`).join(", ");

export const sorted = (items: Iterable<string>): string[] => [...new Set(items)].sort();

/** `containers "a", "b"` */
export const named = (what: string, names: readonly string[]): string =>
  `${plural(what, `${what}s`, names)} ${quoted(names)}`;

/** The containers that `isBad` holds for, by name. */
export const namesWhere = (pod: PodLike, isBad: (container: AnyContainer) => boolean): string[] =>
  containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);

/** `pod and container "a"`: who sets something that may not be. */
export const setters = (ofPod: boolean, containers: readonly string[]): string =>
  [...(ofPod ? ["pod"] : []), ...(containers.length > 0 ? [named("container", containers)] : [])].join(
    " and ",
  );

/** Since v1.35: root of a user namespace of the pod's own is nobody outside. */
export const hasOwnUsers = ({ spec }: PodLike): boolean => spec.hostUsers === false;
export const isWindows = ({ spec }: PodLike): boolean => spec.os?.name === "windows";

/** A profile that confines. */
export const isAllowedSeccomp = ({ type }: { type: string }): boolean =>
  type === "RuntimeDefault" || type === "Localhost";
