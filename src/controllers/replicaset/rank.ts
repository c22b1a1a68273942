import { type corev1, isPodReady } from "../../api/index.ts";

const phaseRanks: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";

/**
 * Pods in the order in which they should go. As upstream's `ActivePodsWithRanks`: unassigned before assigned, Pending
 * before Unknown before Running, not ready before ready, cheap before dear, crowded nodes first, ready for a shorter
 * time, more restarts, younger.
 */
export function rankForDeletion(pods: readonly corev1.Pod[]): corev1.Pod[] {
  const onNode = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec!.nodeName ?? "";
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const rows = pods.map((pod) => ({
    pod,
    keys: [
      pod.spec!.nodeName ? 1 : 0,
      phaseRanks[pod.status?.phase ?? "Unknown"] ?? 2,
      isPodReady(pod) ? 1 : 0,
      deletionCost(pod),
      -(onNode.get(pod.spec!.nodeName ?? "") ?? 0),
      -readySinceMs(pod),
      -restarts(pod),
      -Date.parse(pod.metadata.creationTimestamp!),
    ],
  }));
  rows.sort((a, b) => {
    for (let i = 0; i < a.keys.length; i++) {
      const difference = a.keys[i]! - b.keys[i]!;
      if (difference !== 0) return difference;
    }
    return a.pod.metadata.uid! < b.pod.metadata.uid! ? -1 : 1;
  });
  return rows.map((row) => row.pod);
}

function deletionCost(pod: corev1.Pod): number {
  const text = pod.metadata.annotations?.[deletionCostAnnotation];
  return text !== undefined && /^-?(0|[1-9]\d*)$/.test(text) ? Number(text) : 0;
}

function readySinceMs(pod: corev1.Pod): number {
  const ready = pod.status?.conditions?.find((c) => c.type === "Ready" && c.status === "True");
  return ready?.lastTransitionTime ? Date.parse(ready.lastTransitionTime) : 0;
}

function restarts(pod: corev1.Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount ?? 0));
}
