import type { corev1 } from "../../../index.ts";
import { isSidecar } from "./resources.ts";

/** A port of the node that a pod takes while it runs. */
export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

/** Of the containers that run on: init containers that end give theirs back. */
export function hostPortsOf({ spec }: corev1.Pod): HostPort[] {
  return [...spec!.containers, ...(spec!.initContainers ?? []).filter(isSidecar)].flatMap(({ ports }) =>
    (ports ?? [])
      .filter(({ hostPort }) => (hostPort ?? 0) > 0)
      .map(({ hostIP, protocol, hostPort }) => ({
        ip: hostIP || "0.0.0.0",
        protocol: protocol ?? "TCP",
        port: hostPort!,
      })),
  );
}

/** Whether both cannot be taken on one node: all addresses is every address. */
export function hostPortsCollide(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.ip === b.ip || a.ip === "0.0.0.0" || b.ip === "0.0.0.0";
  return a.port === b.port && a.protocol === b.protocol && sameAddress;
}
