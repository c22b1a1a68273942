import type { corev1, policyv1 } from "../api/index.ts";
import type { ClusterView } from "./cluster-view.ts";
import { addPod, type NodeInfo, newNodeInfo, scheduledPodOf } from "./node-info.ts";
import { type Placement, schedule, startCycle } from "./schedule.ts";
import { noVolumes, type VolumeView } from "./volumes/volume-view.ts";

/*
 * For the tests of this room: nodes, pods on them, and decisions about one more.
 */

export interface NodeDraft {
  labels?: Record<string, string>;
  spec?: corev1.NodeSpec;
  cpu?: string;
  memory?: string;
  images?: corev1.ContainerImage[];
}

export function node(name: string, change: NodeDraft = {}): NodeInfo {
  return newNodeInfo({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...change.labels } },
    spec: change.spec ?? {},
    status: {
      allocatable: { cpu: change.cpu ?? "2", memory: change.memory ?? "4Gi", pods: "110" },
      ...(change.images && { images: change.images }),
    },
  } as corev1.Node);
}

export function pod(
  spec: object = {},
  requests: Record<string, string> = {},
  metadata: object = {},
): corev1.Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", ...metadata },
    spec: { containers: [{ name: "c", image: "busybox", resources: { requests } }], ...spec },
  } as corev1.Pod;
}

/** Puts pods, named by labels, on a node. */
export function on(info: NodeInfo, ...pods: corev1.Pod[]): NodeInfo {
  for (const each of pods) addPod(info, scheduledPodOf(each));
  return info;
}

export interface ViewDraft {
  namespaces?: Record<string, Record<string, string>>;
  nominated?: Record<string, corev1.Pod[]>;
  budgets?: policyv1.PodDisruptionBudget[];
  equalsOf?: ClusterView["equalsOf"];
  volumes?: Partial<VolumeView>;
}

export function viewOf(nodes: readonly NodeInfo[], draft: ViewDraft = {}): ClusterView {
  const namespaces: Record<string, Record<string, string>> = { default: {}, ...draft.namespaces };
  return {
    nodes,
    namespaceLabels: (namespace) => namespaces[namespace],
    nominatedOn: (name) => (draft.nominated?.[name] ?? []).map(scheduledPodOf),
    volumes: { ...noVolumes, ...draft.volumes },
    budgets: () => draft.budgets ?? [],
    equalsOf: draft.equalsOf ?? (() => undefined),
  };
}

/** The node's name, or the message of why there is none. */
export function placed(pod: corev1.Pod, nodes: readonly NodeInfo[], draft: ViewDraft = {}): string {
  const placement: Placement = schedule(startCycle(pod, viewOf(nodes, draft)));
  return "node" in placement ? placement.node : placement.unschedulable;
}
