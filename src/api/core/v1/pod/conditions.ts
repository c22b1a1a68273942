import type { corev1 } from "../../../index.ts";

/*
 * What a pod's status says. As `k8s.io/kubernetes/pkg/api/v1/pod`.
 */

type Condition = { type: string; status: string };

/** The condition of a type, if there is one; works for every kind's conditions. */
export const findCondition = <C extends Condition>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined => conditions?.find((condition) => condition.type === type);

export const isConditionTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === "True";

/** It may get traffic. */
export const isPodReady = ({ status }: corev1.Pod): boolean => isConditionTrue(status?.conditions, "Ready");

/** None of its containers runs, nor ever will again. */
export const isPodTerminal = ({ status }: corev1.Pod): boolean =>
  status?.phase === "Succeeded" || status?.phase === "Failed";

/** Ready for at least `minReadySeconds`: as Deployments count. */
export function isPodAvailable(pod: corev1.Pod, minReadySeconds: number, nowMs: number): boolean {
  const ready = findCondition(pod.status?.conditions, "Ready");
  if (ready?.status !== "True") return false;
  if (minReadySeconds === 0) return true;
  const since = ready.lastTransitionTime;
  return Boolean(since) && Date.parse(since!) + minReadySeconds * 1_000 <= nowMs;
}
