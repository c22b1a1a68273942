import { tolerates } from "../../api/index.ts";
import { perNodeFilter } from "./filter.ts";

const unschedulable = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;

/** As plugin NodeUnschedulable: `kubectl cordon`, unless the pod tolerates the taint it stands for. */
export const nodeUnschedulableFilter = perNodeFilter({
  name: "NodeUnschedulable",
  wakesOn: ["node"],
  helpedBy: "nothing",
  reasonsOf: ({ pod }, { node }) =>
    node.spec?.unschedulable && !tolerates(pod.spec!.tolerations, unschedulable)
      ? ["node(s) were unschedulable"]
      : undefined,
});
