import { type corev1, hostPortsOf } from "../api/index.ts";
import { filters, type PendingPod } from "./filter/index.ts";
import { type NodeInfo, requestsOf } from "./node-info.ts";
import { bestNode } from "./score/score.ts";

/** Where a pod goes, or why nowhere. */
export type Placement = { node: string } | { unschedulable: string };

/** The scheduler's one decision. Pure: the same pod and nodes give the same answer. */
export function schedule(pod: corev1.Pod, nodes: readonly NodeInfo[]): Placement {
  if (nodes.length === 0) return { unschedulable: "no nodes available to schedule pods" };
  const pending: PendingPod = {
    pod,
    requests: requestsOf(pod),
    hostPorts: hostPortsOf(pod),
  };
  const feasible: NodeInfo[] = [];
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const reasons = refusal(pending, node);
    if (!reasons) feasible.push(node);
    else for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  if (feasible.length > 0) return { node: bestNode(pending, feasible).node.metadata.name! };
  // As upstream's FitError: sorted as text, numbers included.
  const reasons = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return { unschedulable: `0/${nodes.length} nodes are available: ${reasons.join(", ")}.` };
}

function refusal(pending: PendingPod, node: NodeInfo): readonly string[] | undefined {
  for (const filter of filters) {
    const reasons = filter(pending, node);
    if (reasons) return reasons;
  }
  return undefined;
}
