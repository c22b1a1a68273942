import { type appsv1, type corev1, isPodReady } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";

/** When a ready pod counts as available; undefined when it is not ready. As `podutil.IsPodAvailable`. */
export function availableAtMs(pod: corev1.Pod, minReadyS: number): number | undefined {
  const ready = pod.status?.conditions?.find((c) => c.type === "Ready");
  if (ready?.status !== "True") return undefined;
  return minReadyS === 0 ? 0 : Date.parse(ready.lastTransitionTime!) + minReadyS * 1000;
}

/**
 * The status that `active` pods and a pass that failed give a ReplicaSet, and when to look again. As `calculateStatus`.
 * Pure.
 */
export function replicaSetStatus(
  rs: appsv1.ReplicaSet,
  active: readonly corev1.Pod[],
  terminatingReplicas: number,
  failure: Error | undefined,
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
  const conditions = conditionsOf(rs, active, failure, nowMs);
  const status: appsv1.ReplicaSetStatus = {
    replicas: active.length,
    // Zero is left out, as upstream's encoding does.
    ...(fullyLabeledReplicas > 0 && { fullyLabeledReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    terminatingReplicas,
    observedGeneration: rs.metadata.generation,
    ...(conditions.length > 0 && { conditions }),
  };
  return { status, ...(nextMs < Number.POSITIVE_INFINITY && { afterMs: nextMs - nowMs }) };
}

/**
 * With why pods could not be made or deleted. What it says stays until a pass goes well: a refusal names the pod, which
 * has another name each time, and a status that changes each time would bring on the next try at once.
 */
function conditionsOf(
  rs: appsv1.ReplicaSet,
  active: readonly corev1.Pod[],
  failure: Error | undefined,
  nowMs: number,
): NonNullable<appsv1.ReplicaSetStatus["conditions"]> {
  const known = rs.status?.conditions ?? [];
  const others = known.filter(({ type }) => type !== "ReplicaFailure");
  if (!failure) return others;
  if (others.length < known.length) return known;
  const reason = active.length < (rs.spec?.replicas ?? 1) ? "FailedCreate" : "FailedDelete";
  const lastTransitionTime = formatTime(nowMs);
  return [
    ...known,
    { type: "ReplicaFailure", status: "True", reason, message: failure.message, lastTransitionTime },
  ];
}
