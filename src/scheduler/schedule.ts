import type { corev1 } from "../api/index.ts";
import type { ClusterView } from "./cluster-view.ts";
import { type Check, filters, type PendingPod, type Refusal } from "./filter/index.ts";
import { addPod, copyOf, type NodeInfo, type ScheduledPod, scheduledPodOf } from "./node-info.ts";
import { bestNode } from "./score/best-node.ts";

/** A pod's turn: what filters and scores ask of it and of the cluster, worked out once. */
export interface Cycle {
  pending: PendingPod;
  view: ClusterView;
  checks: readonly Check[];
  /** Why no node will do, whatever they are like. */
  refusesAll: Refusal | undefined;
}

/** Where a pod goes, or why nowhere. */
export type Placement =
  | { node: string }
  | {
      /** In upstream's words. */
      unschedulable: string;
      /** By node. */
      refusals: ReadonlyMap<NodeInfo, Refusal>;
    };

export function startCycle(pod: corev1.Pod, view: ClusterView): Cycle {
  const pending = scheduledPodOf(pod);
  const checks: Check[] = [];
  for (const filter of filters) {
    const check = filter.prepare(pending, view);
    if (!check) continue;
    if ("refusesAll" in check) return { pending, view, checks: [], refusesAll: check.refusesAll };
    checks.push(check);
  }
  return { pending, view, checks, refusesAll: undefined };
}

/** The scheduler's one decision. Pure: the same pod and cluster give the same answer. */
export function schedule(cycle: Cycle): Placement {
  const { pending, view } = cycle;
  const refusals = new Map<NodeInfo, Refusal>();
  if (view.nodes.length === 0) return { unschedulable: "no nodes available to schedule pods", refusals };
  if (cycle.refusesAll) {
    const { reasons } = cycle.refusesAll;
    for (const node of view.nodes) refusals.set(node, cycle.refusesAll);
    const unschedulable = `0/${view.nodes.length} nodes are available: ${reasons.join(", ")}.`;
    return { unschedulable, refusals };
  }
  const nominated = pending.pod.status?.nominatedNodeName;
  if (nominated) {
    // Others were pushed aside for it there.
    const node = view.nodes.find((info) => info.node.metadata.name === nominated);
    if (node && !refusalOn(cycle, node)) return { node: nominated };
  }
  const feasible: NodeInfo[] = [];
  for (const node of view.nodes) {
    const refusal = refusalOn(cycle, node);
    if (refusal) refusals.set(node, refusal);
    else feasible.push(node);
  }
  if (feasible.length > 0) return { node: bestNode(pending, view, feasible).node.metadata.name! };
  return { unschedulable: fitError(view.nodes.length, refusals.values()), refusals };
}

/** As upstream's `FitError`: reasons counted, and sorted as text, numbers included. */
export function fitError(nodes: number, refusals: Iterable<Pick<Refusal, "reasons">>): string {
  const counts = new Map<string, number>();
  for (const { reasons } of refusals)
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const lines = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${nodes} nodes are available: ${lines.join(", ")}.`;
}

/**
 * Why a node will not do: neither with the pods that wait for room on it and are no less important, nor (since those
 * may still go elsewhere) without them. As `RunFilterPluginsWithNominatedPods`.
 */
export function refusalOn(cycle: Cycle, node: NodeInfo): Refusal | undefined {
  const { pending, view, checks } = cycle;
  const waiting = view
    .nominatedOn(node.node.metadata.name!)
    .filter(({ key, priority }) => key !== pending.key && priority >= pending.priority);
  if (waiting.length > 0) {
    const refusal = refusalWith(checks, node, waiting);
    if (refusal) return refusal;
  }
  return refusalBy(checks, node);
}

function refusalBy(checks: readonly Check[], node: NodeInfo): Refusal | undefined {
  for (const check of checks) {
    const refusal = check.refusalOf(node);
    if (refusal) return refusal;
  }
  return undefined;
}

function refusalWith(
  checks: readonly Check[],
  node: NodeInfo,
  waiting: readonly ScheduledPod[],
): Refusal | undefined {
  const full = copyOf(node);
  for (const pod of waiting) {
    addPod(full, pod);
    for (const check of checks) check.podAdded?.(pod, full);
  }
  const refusal = refusalBy(checks, full);
  for (const pod of waiting) for (const check of checks) check.podRemoved?.(pod, full);
  return refusal;
}
