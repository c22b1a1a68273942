import type { corev1, HostPort } from "../../api/index.ts";
import type { Amounts, NodeInfo } from "../node-info.ts";

/** A pod that waits for a node, with what every filter asks of it worked out once. */
export interface PendingPod {
  pod: corev1.Pod;
  requests: Amounts;
  hostPorts: readonly HostPort[];
}

/**
 * Whether a node may run a pod: undefined when it may, else why not, in upstream's words, which are counted over all
 * nodes in the pod's condition and event. Pure. Counterpart upstream: a Filter plugin.
 */
export type Filter = (pending: PendingPod, node: NodeInfo) => readonly string[] | undefined;
