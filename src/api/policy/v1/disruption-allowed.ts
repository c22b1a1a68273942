import { formatTime } from "../../../machinery/index.ts";
import type { metav1, policyv1 } from "../../index.ts";

/** Whether a budget allows a disruption now, as its condition says it. */
export interface DisruptionAllowed {
  status: "True" | "False";
  reason: "SufficientPods" | "InsufficientPods" | "SyncFailed";
  message: string;
}

export const disruptionAllowedBy = (disruptionsAllowed: number): DisruptionAllowed =>
  disruptionsAllowed > 0
    ? { status: "True", reason: "SufficientPods", message: "" }
    : { status: "False", reason: "InsufficientPods", message: "" };

/** The conditions of a budget with this one. As `meta.SetStatusCondition`: its time is that of the last change. */
export function withDisruptionAllowed(
  { conditions = [], observedGeneration }: policyv1.PodDisruptionBudgetStatus,
  allowed: DisruptionAllowed,
  nowMs: number,
): metav1.Condition[] {
  const type = "DisruptionAllowed";
  const before = conditions.find((condition) => condition.type === type);
  const condition: metav1.Condition = {
    type,
    ...allowed,
    ...(observedGeneration !== undefined && { observedGeneration }),
    lastTransitionTime: before?.status === allowed.status ? before.lastTransitionTime : formatTime(nowMs),
  };
  return before ? conditions.map((each) => (each === before ? condition : each)) : [...conditions, condition];
}
