import { matchesNodeTerm } from "../../api/index.ts";
import type { PendingPod } from "../filter/filter.ts";
import type { NodeInfo } from "../node-info.ts";
import { tolerates } from "../tolerates.ts";

/** How good a node is for a pod, 0 to 100 after normalisation. Pure. Counterpart upstream: Score plugins and their weights. */
export interface Scorer {
  weight: number;
  score(pending: PendingPod, node: NodeInfo): number;
  /** The best raw score becomes 100; `lowest` for scorers that count what speaks against a node. */
  normalise: "none" | "highest" | "lowest";
}

/** As NodeResourcesFit with LeastAllocated: the emptier the better. */
const leastAllocated: Scorer = {
  weight: 1,
  normalise: "none",
  score: ({ requests }, { allocatable, requested }) => {
    const fractions = ["cpu", "memory"].map((name) => {
      const capacity = allocatable.get(name) ?? 0;
      const used = (requested.get(name) ?? 0) + (requests.get(name) ?? 0);
      return capacity > 0 ? Math.max(0, (capacity - used) / capacity) : 0;
    });
    return (100 * (fractions[0]! + fractions[1]!)) / 2;
  },
};

/** As TaintToleration: fewer untolerated PreferNoSchedule taints are better. */
const preferNoSchedule: Scorer = {
  weight: 3,
  normalise: "lowest",
  score: ({ pod }, { node }) =>
    (node.spec?.taints ?? []).filter(
      (t) => t.effect === "PreferNoSchedule" && !tolerates(pod.spec!.tolerations, t),
    ).length,
};

/** As NodeAffinity: the sum of the weights of the preferred terms that match. */
const preferredAffinity: Scorer = {
  weight: 2,
  normalise: "highest",
  score: ({ pod }, { node }) =>
    (pod.spec!.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      .filter(({ preference }) => matchesNodeTerm(preference, node))
      .reduce((sum, { weight }) => sum + weight, 0),
};

const scorers: readonly Scorer[] = [leastAllocated, preferNoSchedule, preferredAffinity];

/** The best of `nodes`; among equals the one with the fewest pods, then by name, so that a run can be repeated. */
export function bestNode(pending: PendingPod, nodes: readonly NodeInfo[]): NodeInfo {
  if (nodes.length === 1) return nodes[0]!;
  const totals = nodes.map(() => 0);
  for (const scorer of scorers) {
    const raw = nodes.map((node) => scorer.score(pending, node));
    const highest = Math.max(...raw);
    raw.forEach((value, i) => {
      totals[i]! += scorer.weight * normalised(scorer.normalise, value, highest);
    });
  }
  const order = nodes.map((_, i) => i);
  order.sort(
    (a, b) =>
      totals[b]! - totals[a]! ||
      nodes[a]!.pods.size - nodes[b]!.pods.size ||
      (nodes[a]!.node.metadata.name! < nodes[b]!.node.metadata.name! ? -1 : 1),
  );
  return nodes[order[0]!]!;
}

function normalised(how: Scorer["normalise"], value: number, highest: number): number {
  if (how === "none") return value;
  const share = highest === 0 ? 0 : (100 * value) / highest;
  return how === "highest" ? share : 100 - share;
}
