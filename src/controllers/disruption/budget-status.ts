import {
  type corev1,
  disruptionAllowedBy,
  isPodReady,
  type policyv1,
  withDisruptionAllowed,
} from "../../api/index.ts";

type Budget = policyv1.PodDisruptionBudget;
type Status = policyv1.PodDisruptionBudgetStatus;

/** As upstream's `DeletionTimeout`: an eviction that was allowed and has not led to a deletion by then has failed. */
const deletionMsMax = 2 * 60_000;

/** Whether a budget is told by how many pods there should be, which their controllers know. */
export const needsScale = ({ spec }: Budget): boolean =>
  spec.maxUnavailable !== undefined || typeof spec.minAvailable === "string";

export interface Outcome {
  status: Status;
  /** Pods whose eviction was allowed, and which are still there. */
  notDeleted: readonly corev1.Pod[];
  /** When to look again, though nothing happens. */
  afterMs?: number;
}

/** How a budget stands with its pods. `scale`: how many pods their controllers want. Pure. */
export function budgetStatus(
  budget: Budget,
  pods: readonly corev1.Pod[],
  scale: number,
  nowMs: number,
): Outcome {
  const { expectedPods, desiredHealthy } = wanted(budget, pods.length, scale);
  const { disruptedPods, notDeleted, afterMs } = underWay(budget, pods, nowMs);
  const currentHealthy = pods.filter(
    (pod) => !pod.metadata.deletionTimestamp && !(pod.metadata.name! in disruptedPods) && isPodReady(pod),
  ).length;
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
  const status: Status = {
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
    ...(budget.metadata.generation !== undefined && { observedGeneration: budget.metadata.generation }),
  };
  const conditions = withDisruptionAllowed(
    { ...status, conditions: budget.status?.conditions },
    disruptionAllowedBy(disruptionsAllowed),
    nowMs,
  );
  return { status: { ...status, conditions }, notDeleted, ...(afterMs !== undefined && { afterMs }) };
}

/** The status of a budget that can't be calculated: nothing is allowed. */
export function failedStatus({ status = {} }: Budget, why: string, nowMs: number): Status {
  const failed = { status: "False", reason: "SyncFailed", message: why } as const;
  return { ...status, disruptionsAllowed: 0, conditions: withDisruptionAllowed(status, failed, nowMs) };
}

function wanted(
  { spec: { minAvailable, maxUnavailable } }: Budget,
  podCount: number,
  scale: number,
): { expectedPods: number; desiredHealthy: number } {
  if (maxUnavailable !== undefined)
    return { expectedPods: scale, desiredHealthy: Math.max(0, scale - countOf(maxUnavailable, scale)) };
  if (typeof minAvailable === "string")
    return { expectedPods: scale, desiredHealthy: countOf(minAvailable, scale) };
  if (minAvailable !== undefined) return { expectedPods: podCount, desiredHealthy: minAvailable };
  return { expectedPods: 0, desiredHealthy: 0 };
}

/** Rounded up, for both bounds. */
const countOf = (value: number | string, of: number): number =>
  typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) * of) / 100);

function underWay({ status }: Budget, pods: readonly corev1.Pod[], nowMs: number) {
  const disruptedPods: Record<string, string> = {};
  const notDeleted: corev1.Pod[] = [];
  let afterMs: number | undefined;
  for (const pod of pods) {
    const time = status?.disruptedPods?.[pod.metadata.name!];
    if (time === undefined || pod.metadata.deletionTimestamp) continue;
    const leftMs = Date.parse(time) + deletionMsMax - nowMs;
    if (leftMs < 0) {
      notDeleted.push(pod);
      continue;
    }
    disruptedPods[pod.metadata.name!] = time;
    afterMs = Math.min(afterMs ?? leftMs, leftMs);
  }
  return { disruptedPods, notDeleted, afterMs };
}
