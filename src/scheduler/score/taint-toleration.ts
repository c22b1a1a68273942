import { tolerates } from "../../api/index.ts";
import { normalised, type Scorer } from "./scorer.ts";

/** As TaintToleration: fewer untolerated PreferNoSchedule taints are better. */
export const preferNoSchedule: Scorer = {
  name: "TaintToleration",
  weight: 3,
  scores: ({ pod }, _view, nodes) => {
    // Only tolerations that are about this effect, or all, count.
    const tolerations = (pod.spec!.tolerations ?? []).filter(
      ({ effect }) => !effect || effect === "PreferNoSchedule",
    );
    const raw = nodes.map(
      ({ node }) =>
        (node.spec?.taints ?? []).filter(
          (taint) => taint.effect === "PreferNoSchedule" && !tolerates(tolerations, taint),
        ).length,
    );
    return raw.some((count) => count > 0) ? normalised(raw, "less") : undefined;
  },
};
