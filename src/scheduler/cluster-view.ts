import type { corev1, policyv1 } from "../api/index.ts";
import type { Selector } from "../machinery/index.ts";
import type { Labels } from "./affinity-terms.ts";
import type { NodeInfo, ScheduledPod } from "./node-info.ts";
import type { VolumeView } from "./volumes/volume-view.ts";

/** All that a decision is made on. Counterpart upstream: the scheduler's snapshot and its listers. */
export interface ClusterView {
  nodes: readonly NodeInfo[];
  namespaceLabels(namespace: string): Labels | undefined;
  /** Pods that pushed others off a node, and wait for the room. */
  nominatedOn(node: string): readonly ScheduledPod[];
  volumes: VolumeView;
  budgets(): readonly policyv1.PodDisruptionBudget[];
  /** Which pods are a pod's equals: those of its controller. Undefined for a pod by itself. */
  equalsOf(pod: corev1.Pod): Selector | undefined;
}
