import type { ClusterView } from "../cluster-view.ts";
import type { PendingPod } from "../filter/index.ts";
import type { NodeInfo } from "../node-info.ts";

/** The best score a node can have. As upstream's `MaxNodeScore`. */
export const scoreMax = 100;

/**
 * How good nodes are for a pod. Pure. Counterpart upstream: a Score plugin, its normalisation included.
 *
 * `scores` gives a number from 0 to {@link scoreMax} for each node, in their order; undefined when they are all the same.
 */
export interface Scorer {
  name: string;
  /** As in upstream's default configuration. */
  weight: number;
  scores(
    pending: PendingPod,
    view: ClusterView,
    feasible: readonly NodeInfo[],
  ): readonly number[] | undefined;
}

/** The best becomes 100, nothing 0. As `helper.DefaultNormalizeScore`. */
export function normalised(raw: readonly number[], better: "more" | "less"): number[] {
  const most = Math.max(0, ...raw);
  return raw.map((value) => {
    const share = most === 0 ? 0 : Math.floor((scoreMax * value) / most);
    return better === "more" ? share : scoreMax - share;
  });
}
