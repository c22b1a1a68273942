import { type appsv1, type corev1, isPodReady } from "../../api/index.ts";

/** When a ready pod counts as available; undefined when it is not ready. As `podutil.IsPodAvailable`. */
export function availableAtMs(pod: corev1.Pod, minReadyS: number): number | undefined {
  const ready = pod.status?.conditions?.find((c) => c.type === "Ready");
  if (ready?.status !== "True") return undefined;
  return minReadyS === 0 ? 0 : Date.parse(ready.lastTransitionTime!) + minReadyS * 1000;
}

/** The status that `pods` (active ones) give a ReplicaSet, and when to look again. Pure. */
export function replicaSetStatus(
  rs: appsv1.ReplicaSet,
  active: readonly corev1.Pod[],
  terminatingReplicas: number,
  nowMs: number,
): { status: appsv1.ReplicaSetStatus; afterMs?: number } {
  const templateLabels = Object.entries(rs.spec?.template?.metadata?.labels ?? {});
  let readyReplicas = 0;
  let availableReplicas = 0;
  let fullyLabeledReplicas = 0;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const pod of active) {
    if (templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value)) fullyLabeledReplicas++;
    if (!isPodReady(pod)) continue;
    readyReplicas++;
    const atMs = availableAtMs(pod, rs.spec?.minReadySeconds ?? 0)!;
    if (atMs <= nowMs) availableReplicas++;
    else nextMs = Math.min(nextMs, atMs);
  }
  const status: appsv1.ReplicaSetStatus = {
    replicas: active.length,
    // Zero is left out, as upstream's encoding does.
    ...(fullyLabeledReplicas > 0 && { fullyLabeledReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    terminatingReplicas,
    observedGeneration: rs.metadata.generation,
    ...(rs.status?.conditions && { conditions: rs.status.conditions }),
  };
  return { status, ...(nextMs < Number.POSITIVE_INFINITY && { afterMs: nextMs - nowMs }) };
}
