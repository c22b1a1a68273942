import { perNodeFilter } from "./filter.ts";

/** As plugin NodeName: a pod that names its node fits no other. */
export const nodeNameFilter = perNodeFilter({
  name: "NodeName",
  wakesOn: ["node"],
  helpedBy: "nothing",
  reasonsOf: ({ pod }, { node }) =>
    pod.spec!.nodeName && pod.spec!.nodeName !== node.metadata.name
      ? ["node(s) didn't match the requested node name"]
      : undefined,
});
