import type { corev1 } from "../../api/index.ts";

const systemCriticalPriority = 2_000_000_000;

/** Of a pod of this node's own, where it comes from; `api` for all others. */
const sourceAnnotation = "kubernetes.io/config.source";
const mirrorAnnotation = "kubernetes.io/config.mirror";

/** A pod that the node cannot do without: it is never evicted, and admitted under pressure. As types.IsCriticalPod. */
export function isCritical({ metadata, spec }: corev1.Pod): boolean {
  const source = metadata.annotations?.[sourceAnnotation] ?? "api";
  const isMirror = metadata.annotations?.[mirrorAnnotation] !== undefined;
  return source !== "api" || isMirror || (spec!.priority ?? 0) >= systemCriticalPriority;
}
