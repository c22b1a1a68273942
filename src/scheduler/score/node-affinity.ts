import { matchesNodeTerm } from "../../api/index.ts";
import { normalised, type Scorer } from "./scorer.ts";

/** As NodeAffinity: the sum of the weights of the preferred terms that match. */
export const preferredNodes: Scorer = {
  name: "NodeAffinity",
  weight: 2,
  scores: ({ pod }, _view, nodes) => {
    const terms = pod.spec!.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (terms.length === 0) return undefined;
    const raw = nodes.map(({ node }) =>
      terms
        .filter(({ preference }) => matchesNodeTerm(preference, node))
        .reduce((sum, { weight }) => sum + weight, 0),
    );
    return normalised(raw, "more");
  },
};
