import type { Refusal } from "../filter/index.ts";
import { addPod, copyOf, type NodeInfo, removePod, type ScheduledPod } from "../node-info.ts";
import { type Cycle, refusalOn } from "../schedule.ts";
import { violatingBudgets } from "./budgets.ts";
import { byImportance } from "./importance.ts";

/** Pods that would have to leave a node for another one. */
export interface Candidate {
  node: string;
  /** The most important first; at least one. */
  victims: readonly ScheduledPod[];
  /** How many of them a disruption budget would keep. */
  violations: number;
}

/**
 * As few and as unimportant pods of a node as make room for the pending one, or why none do. As
 * `DefaultPreemption.SelectVictimsOnNode`: all that are less important go, then as many as still fit come back, first
 * those that a budget protects.
 */
export function selectVictims(cycle: Cycle, original: NodeInfo): Candidate | Refusal {
  const { pending, checks, view } = cycle;
  const node = copyOf(original);
  const gone = new Set<ScheduledPod>();
  const remove = (pod: ScheduledPod) => {
    removePod(node, pod.key);
    for (const check of checks) check.podRemoved?.(pod, node);
    gone.add(pod);
  };
  const putBack = (pod: ScheduledPod) => {
    addPod(node, pod);
    for (const check of checks) check.podAdded?.(pod, node);
    gone.delete(pod);
  };
  try {
    const lesser = [...node.pods.values()].filter(({ priority }) => priority < pending.priority);
    if (lesser.length === 0) {
      const reasons = ["No preemption victims found for incoming pod"];
      return { by: "DefaultPreemption", reasons, helpedBy: "nothing" };
    }
    for (const pod of lesser) remove(pod);
    const refusal = refusalOn(cycle, node);
    if (refusal) return refusal;
    lesser.sort(byImportance);
    const violating = violatingBudgets(lesser, view.budgets());
    const victims: ScheduledPod[] = [];
    let violations = 0;
    const protectedFirst = [
      ...lesser.filter((pod) => violating.has(pod)),
      ...lesser.filter((pod) => !violating.has(pod)),
    ];
    for (const pod of protectedFirst) {
      putBack(pod);
      if (!refusalOn(cycle, node)) continue;
      remove(pod);
      victims.push(pod);
      if (violating.has(pod)) violations++;
    }
    return { node: node.node.metadata.name!, victims: victims.sort(byImportance), violations };
  } finally {
    // The checks are the cycle's, and go on with the next node.
    for (const pod of [...gone]) putBack(pod);
  }
}
