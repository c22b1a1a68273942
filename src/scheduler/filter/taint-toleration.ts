import { tolerates } from "../tolerates.ts";
import type { Filter } from "./filter.ts";

/** As plugin TaintToleration: NoSchedule and NoExecute keep a pod away, PreferNoSchedule only scores. */
export const taintTolerationFilter: Filter = ({ pod }, { node }) => {
  const taint = (node.spec?.taints ?? []).find(
    (t) => t.effect !== "PreferNoSchedule" && !tolerates(pod.spec!.tolerations, t),
  );
  return taint && ["node(s) had untolerated taint(s)"];
};
