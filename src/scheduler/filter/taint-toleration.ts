import { tolerates } from "../../api/index.ts";
import { perNodeFilter } from "./filter.ts";

/** As plugin TaintToleration: NoSchedule and NoExecute keep a pod away, PreferNoSchedule only scores. */
export const taintTolerationFilter = perNodeFilter({
  name: "TaintToleration",
  wakesOn: ["node"],
  helpedBy: "nothing",
  reasonsOf: ({ pod }, { node }) => {
    const taint = (node.spec?.taints ?? []).find(
      (t) => t.effect !== "PreferNoSchedule" && !tolerates(pod.spec!.tolerations, t),
    );
    return taint && ["node(s) had untolerated taint(s)"];
  },
});
