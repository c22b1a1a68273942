import { hostPortsCollide } from "../../api/index.ts";
import { perNodeFilter } from "./filter.ts";

/** As plugin NodePorts: a host port can be taken once an address and protocol. */
export const nodePortsFilter = perNodeFilter({
  name: "NodePorts",
  wakesOn: ["node", "pod-gone"],
  helpedBy: "preemption",
  reasonsOf: ({ hostPorts }, { pods }) => {
    if (hostPorts.length === 0) return undefined;
    for (const other of pods.values()) {
      if (other.hostPorts.some((taken) => hostPorts.some((wanted) => hostPortsCollide(taken, wanted)))) {
        return ["node(s) didn't have free ports for the requested pod ports"];
      }
    }
    return undefined;
  },
});
