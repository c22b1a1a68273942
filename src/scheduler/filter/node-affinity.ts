import { matchesRequiredNode } from "../../api/index.ts";
import type { Filter } from "./filter.ts";

/** As plugin NodeAffinity: `nodeSelector` and the required part of `affinity.nodeAffinity`. */
export const nodeAffinityFilter: Filter = ({ pod }, { node }) =>
  matchesRequiredNode(pod, node) ? undefined : ["node(s) didn't match Pod's node affinity/selector"];
