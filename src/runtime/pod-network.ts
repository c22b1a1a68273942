import type { PortMapping } from "./contract.ts";

/**
 * Gives a pod its place on the network; the engine calls it around a sandbox's life. The shape of CNI's ADD, DEL and GC.
 *
 * - `attach` is for a network namespace that exists and is empty; it returns with loopback up and the address usable.
 * - `detach` and `attach` may be repeated. An address is not given out again while its sandbox is known.
 */
export interface PodNetwork {
  attach(pod: PodAttachment): Promise<{ ips: string[] }>;
  detach(sandboxId: string): Promise<void>;
  /** Frees what belongs to none of these sandboxes. */
  retain(sandboxIds: readonly string[]): Promise<void>;
  status(): Promise<{ ready: boolean; message: string }>;
}

export interface PodAttachment {
  sandboxId: string;
  /** Path of the bind-mounted namespace file. */
  netnsPath: string;
  podName: string;
  podNamespace: string;
  portMappings: readonly PortMapping[];
  bandwidth?: Bandwidth;
}

/** Seen from the pod; a direction that is absent has no limit. */
export interface Bandwidth {
  ingressBitsPerS?: number;
  egressBitsPerS?: number;
}
