import type { HostPort } from "../node-info.ts";
import type { Filter } from "./filter.ts";

/** As plugin NodePorts: a host port can be taken once an address and protocol. */
export const nodePortsFilter: Filter = ({ hostPorts }, { pods }) => {
  if (hostPorts.length === 0) return undefined;
  for (const other of pods.values()) {
    if (other.hostPorts.some((taken) => hostPorts.some((wanted) => collide(taken, wanted)))) {
      return ["node(s) didn't have free ports for the requested pod ports"];
    }
  }
  return undefined;
};

function collide(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0";
  return a.port === b.port && a.protocol === b.protocol && sameAddress;
}
