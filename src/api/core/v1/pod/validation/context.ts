import type { corev1 } from "../../../../index.ts";

/** What the checks of one part of a pod's spec need to know of the rest of it. */
export interface SpecContext {
  spec: corev1.PodSpec;
  /** A template is checked less strictly: its Pods will get defaults and be checked again. */
  owner: { kind: "Pod"; name: string; isMirror: boolean } | { kind: "PodTemplate" };
  /** The volumes that are well formed, by name. */
  volumes: ReadonlyMap<string, corev1.Volume>;
  /** `spec.resourceClaims[*].name`. */
  claimNames: ReadonlySet<string>;
}

export type AnyContainer = corev1.Container | corev1.EphemeralContainer;

/** Calls `visit` for the init, regular and ephemeral containers, with their paths. */
export function eachContainer(
  spec: corev1.PodSpec,
  path: string,
  visit: (container: AnyContainer, path: string) => void,
): void {
  spec.initContainers?.forEach((container, i) => {
    visit(container, `${path}.initContainers[${i}]`);
  });
  spec.containers?.forEach((container, i) => {
    visit(container, `${path}.containers[${i}]`);
  });
  spec.ephemeralContainers?.forEach((container, i) => {
    visit(container, `${path}.ephemeralContainers[${i}]`);
  });
}
