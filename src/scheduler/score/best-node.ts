import type { ClusterView } from "../cluster-view.ts";
import type { PendingPod } from "../filter/index.ts";
import type { NodeInfo } from "../node-info.ts";
import { imageLocality } from "./image-locality.ts";
import { preferredNeighbours } from "./inter-pod-affinity.ts";
import { preferredNodes } from "./node-affinity.ts";
import { balancedAllocation, leastAllocated } from "./node-resources.ts";
import { evenSpread } from "./pod-topology-spread.ts";
import type { Scorer } from "./scorer.ts";
import { preferNoSchedule } from "./taint-toleration.ts";

const scorers: readonly Scorer[] = [
  preferNoSchedule,
  preferredNodes,
  evenSpread,
  preferredNeighbours,
  leastAllocated,
  balancedAllocation,
  imageLocality,
];

/** The best of `nodes`; among equals the one with the fewest pods, then by name, so that a run can be repeated. */
export function bestNode(pending: PendingPod, view: ClusterView, nodes: readonly NodeInfo[]): NodeInfo {
  if (nodes.length === 1) return nodes[0]!;
  const totals = nodes.map(() => 0);
  for (const { weight, scores } of scorers) {
    const given = scores(pending, view, nodes);
    if (given) for (let i = 0; i < totals.length; i++) totals[i]! += weight * given[i]!;
  }
  let best = 0;
  for (let i = 1; i < nodes.length; i++) {
    const difference = totals[i]! - totals[best]!;
    if (difference > 0 || (difference === 0 && isSooner(nodes[i]!, nodes[best]!))) best = i;
  }
  return nodes[best]!;
}

const isSooner = (a: NodeInfo, b: NodeInfo): boolean =>
  a.pods.size < b.pods.size || (a.pods.size === b.pods.size && a.node.metadata.name! < b.node.metadata.name!);
