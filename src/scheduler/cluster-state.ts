import type { appsv1, corev1, policyv1 } from "../api/index.ts";
import {
  type Informer,
  type InformerFactory,
  namespaces,
  podDisruptionBudgets,
  replicaSets,
  replicationControllers,
} from "../client/index.ts";
import {
  controllerOf,
  type LabelSelector,
  type Selector,
  selectorOf,
  selectorOfLabels,
} from "../machinery/index.ts";
import type { Labels } from "./affinity-terms.ts";
import type { ClusterView } from "./cluster-view.ts";
import {
  addPod,
  imagesOf,
  type NodeInfo,
  newNodeInfo,
  removePod,
  type ScheduledPod,
  scheduledPodOf,
} from "./node-info.ts";
import { ClusterVolumes } from "./volumes/cluster-volumes.ts";

/**
 * What the scheduler knows of the cluster, kept up to date by it. Counterpart upstream: `backend/cache`.
 *
 * - Pods that it has assumed on a node count like those that are there.
 */
export class ClusterState implements ClusterView {
  readonly namespaces: Informer<corev1.Namespace>;
  readonly volumes: ClusterVolumes;
  readonly #budgets: Informer<policyv1.PodDisruptionBudget>;
  readonly #replicaSets: Informer<appsv1.ReplicaSet>;
  readonly #replicationControllers: Informer<corev1.ReplicationController>;
  readonly #infos = new Map<string, NodeInfo>();
  #nodes: readonly NodeInfo[] | undefined;
  /** Pods of nodes that are not known (yet), by node. */
  readonly #homeless = new Map<string, Map<string, ScheduledPod>>();
  /** Pods that wait for room on a node, by key and by node. */
  readonly #nominated = new Map<string, { node: string; pod: ScheduledPod }>();

  constructor(informers: InformerFactory) {
    this.namespaces = informers.informer<corev1.Namespace>(namespaces);
    this.volumes = new ClusterVolumes(informers);
    this.#budgets = informers.informer<policyv1.PodDisruptionBudget>(podDisruptionBudgets);
    this.#replicaSets = informers.informer<appsv1.ReplicaSet>(replicaSets);
    this.#replicationControllers = informers.informer<corev1.ReplicationController>(replicationControllers);
  }

  get nodes(): readonly NodeInfo[] {
    this.#nodes ??= [...this.#infos.values()];
    return this.#nodes;
  }

  namespaceLabels(namespace: string): Labels | undefined {
    const found = this.namespaces.get(namespace);
    return found && (found.metadata.labels ?? {});
  }

  budgets(): readonly policyv1.PodDisruptionBudget[] {
    return this.#budgets.list();
  }

  equalsOf(pod: corev1.Pod): Selector | undefined {
    const { kind, name } = controllerOf(pod) ?? {};
    const key = `${pod.metadata.namespace}/${name}`;
    switch (kind) {
      case "ReplicaSet": {
        const set = this.#replicaSets.get(key);
        return set && selectorOf(set.spec?.selector as LabelSelector | undefined);
      }
      case "ReplicationController": {
        const controller = this.#replicationControllers.get(key);
        return controller && selectorOfLabels(controller.spec?.selector ?? {});
      }
      default:
        return undefined;
    }
  }

  nominatedOn(node: string): readonly ScheduledPod[] {
    if (this.#nominated.size === 0) return [];
    return [...this.#nominated.values()].filter((each) => each.node === node).map(({ pod }) => pod);
  }

  nominate(pod: corev1.Pod, node: string): void {
    const nominated = scheduledPodOf(pod);
    this.#nominated.set(nominated.key, { node, pod: nominated });
  }

  forgetNomination(key: string): void {
    this.#nominated.delete(key);
  }

  /** Says whether the change can make room for a pod: heartbeats, which come every few seconds, can't. */
  nodeChanged(node: corev1.Node): boolean {
    const name = node.metadata.name!;
    const old = this.#infos.get(name);
    if (old && !matters(old.node, node)) {
      // In place: whoever thinks about this node goes on with it.
      if (old.node.status?.images !== node.status?.images) old.images = imagesOf(node);
      old.node = node;
      return false;
    }
    const info = newNodeInfo(node);
    for (const pod of (old?.pods ?? this.#homeless.get(name))?.values() ?? []) addPod(info, pod);
    this.#homeless.delete(name);
    this.#infos.set(name, info);
    this.#nodes = undefined;
    return true;
  }

  nodeGone(name: string): void {
    const info = this.#infos.get(name);
    if (info && info.pods.size > 0) this.#homeless.set(name, info.pods);
    this.#infos.delete(name);
    this.#nodes = undefined;
  }

  /** Says whether the pod was there before, and takes less now: it may have been resized. */
  place(pod: corev1.Pod, node: string): boolean {
    const placed = scheduledPodOf(pod);
    const info = this.#infos.get(node);
    if (!info) {
      const waiting = this.#homeless.get(node) ?? new Map<string, ScheduledPod>();
      waiting.set(placed.key, placed);
      this.#homeless.set(node, waiting);
      return false;
    }
    const before = info.pods.get(placed.key);
    addPod(info, placed);
    return before !== undefined && takesLess(placed, before);
  }

  /** Says whether it was there. */
  release(key: string, node: string): boolean {
    this.#homeless.get(node)?.delete(key);
    const info = this.#infos.get(node);
    if (!info?.pods.has(key)) return false;
    removePod(info, key);
    return true;
  }
}

function matters(before: corev1.Node, after: corev1.Node): boolean {
  return (
    JSON.stringify([before.spec, before.metadata.labels, before.status?.allocatable]) !==
    JSON.stringify([after.spec, after.metadata.labels, after.status?.allocatable])
  );
}

function takesLess({ requests }: ScheduledPod, before: ScheduledPod): boolean {
  for (const [name, amount] of before.requests) if ((requests.get(name) ?? 0) < amount) return true;
  return false;
}
