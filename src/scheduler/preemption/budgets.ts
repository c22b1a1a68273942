import type { policyv1 } from "../../api/index.ts";
import { type LabelSelector, selectorOf } from "../../machinery/index.ts";
import type { ScheduledPod } from "../node-info.ts";

/**
 * Of pods that would go together, in order, those whose going a disruption budget does not allow. As
 * `filterPodsWithPDBViolation`.
 */
export function violatingBudgets(
  pods: readonly ScheduledPod[],
  budgets: readonly policyv1.PodDisruptionBudget[],
): ReadonlySet<ScheduledPod> {
  const left = budgets.map((budget) => ({
    budget,
    selector: selectorOf(budget.spec.selector as LabelSelector | undefined),
    allowed: budget.status?.disruptionsAllowed ?? 0,
  }));
  const violating = new Set<ScheduledPod>();
  for (const pod of pods) {
    for (const each of left) {
      const { budget, selector } = each;
      if (budget.metadata.namespace !== pod.namespace || selector.empty) continue;
      if (!selector.matches(pod.labels)) continue;
      // Its eviction is under way, and was allowed.
      if (budget.status?.disruptedPods?.[pod.pod.metadata.name!] !== undefined) continue;
      each.allowed--;
      if (each.allowed < 0) violating.add(pod);
    }
  }
  return violating;
}
