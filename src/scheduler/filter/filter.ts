import type { ClusterView } from "../cluster-view.ts";
import type { NodeInfo, ScheduledPod } from "../node-info.ts";

/** A pod that waits for a node, with what filters ask of it worked out once. */
export type PendingPod = ScheduledPod;

/** Why a node can't run a pod. */
export interface Refusal {
  /** Which filter says so. */
  by: string;
  /** In upstream's words; counted over all nodes in the pod's condition and event. */
  reasons: readonly string[];
  /** Whether it may be another matter once pods have left the node. As `Unschedulable`, against `UnschedulableAndUnresolvable`. */
  helpedBy: "preemption" | "nothing";
}

/** What can make a node fit that did not. */
export type ClusterChange =
  /** A node came, went, or changed in what it has, its labels or its taints. */
  | "node"
  /** A pod left its node, or takes less of it. */
  | "pod-gone"
  /** A pod is on its way out; where pods are spread, it counts no longer. */
  | "pod-going"
  /** A pod was placed, or its labels changed. */
  | "pod-placed"
  /** A namespace came, or its labels changed. */
  | "namespace"
  /** A volume, a claim or a class came or changed. */
  | "volume";

/**
 * A reason why a node may not run a pod. Counterpart upstream: a Filter plugin.
 *
 * `prepare` is called once a decision and works out what is the same for all nodes; undefined when the pod asks for
 * nothing that the filter is about.
 */
export interface Filter {
  /** Upstream's name of the plugin. */
  name: string;
  /** After which changes a pod that it refused is worth another look. */
  wakesOn: readonly ClusterChange[];
  prepare(pending: PendingPod, view: ClusterView): Check | RefusesAll | undefined;
}

/** Whatever the node. As a `PreFilter` that fails. */
export interface RefusesAll {
  refusesAll: Refusal;
}

export interface Check {
  refusalOf(node: NodeInfo): Refusal | undefined;
  /** In thought: what was prepared counts a pod more, or less, on a node. */
  podAdded?(pod: ScheduledPod, node: NodeInfo): void;
  podRemoved?(pod: ScheduledPod, node: NodeInfo): void;
}

/** A filter for which each node stands for itself. `reasonsOf`: undefined when the node will do. */
export function perNodeFilter(options: {
  name: string;
  wakesOn: readonly ClusterChange[];
  helpedBy: Refusal["helpedBy"];
  reasonsOf(pending: PendingPod, node: NodeInfo): readonly string[] | undefined;
}): Filter {
  const { name, wakesOn, helpedBy, reasonsOf } = options;
  return {
    name,
    wakesOn,
    prepare: (pending) => ({
      refusalOf: (node) => {
        const reasons = reasonsOf(pending, node);
        return reasons && { by: name, reasons, helpedBy };
      },
    }),
  };
}
