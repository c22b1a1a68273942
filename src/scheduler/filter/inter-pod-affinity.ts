import { type AffinityTerm, isAbout, type Labels } from "../affinity-terms.ts";
import type { ClusterView } from "../cluster-view.ts";
import { countAbout, type NodeInfo, type ScheduledPod } from "../node-info.ts";
import { TopologyCounts } from "../topology-counts.ts";
import type { Check, Filter, PendingPod, Refusal } from "./filter.ts";

const name = "InterPodAffinity";

/**
 * As plugin InterPodAffinity: what the pod requires of others, and what others, where they are, require of it.
 *
 * Terms count pairs of topology key and value: so many pods that they are about are there.
 */
export const interPodAffinityFilter: Filter = {
  name,
  wakesOn: ["node", "pod-placed", "pod-gone", "namespace"],
  prepare: (pending, view) => {
    const counts = new AffinityCounts(pending, view);
    for (const node of view.nodes) counts.countNode(node);
    return counts.isIdle ? undefined : counts;
  },
};

class AffinityCounts implements Check {
  readonly #pending: PendingPod;
  readonly #view: ClusterView;
  /** Pods that all of the required affinity is about. */
  readonly #near = new TopologyCounts();
  /** Pods that a term of the required anti-affinity is about. */
  readonly #away = new TopologyCounts();
  /** Pods whose own required anti-affinity is about this one. */
  readonly #shunning = new TopologyCounts();
  readonly #isSelfAbout: boolean;

  constructor(pending: PendingPod, view: ClusterView) {
    this.#pending = pending;
    this.#view = view;
    this.#isSelfAbout = this.#matchesAll(pending);
  }

  get isIdle(): boolean {
    const { requiredAffinity, requiredAntiAffinity } = this.#pending.terms;
    return requiredAffinity.length + requiredAntiAffinity.length === 0 && this.#shunning.isEmpty;
  }

  countNode(node: NodeInfo): void {
    const { requiredAffinity, requiredAntiAffinity } = this.#pending.terms;
    const labels = node.node.metadata.labels ?? {};
    const matching = this.#countNear(node);
    if (matching > 0)
      for (const { topologyKey } of requiredAffinity) this.#near.add(topologyKey, labels, matching);
    for (const term of requiredAntiAffinity)
      this.#away.add(
        term.topologyKey,
        labels,
        countAbout(node, term, (pod) => this.#isAbout(term, pod)),
      );
    for (const pod of node.withAffinity.values()) this.#countShunning(pod, labels, 1);
  }

  #countNear(node: NodeInfo): number {
    const { requiredAffinity } = this.#pending.terms;
    const [first] = requiredAffinity;
    if (!first) return 0;
    if (requiredAffinity.length === 1) return countAbout(node, first, (pod) => this.#isAbout(first, pod));
    let count = 0;
    for (const pod of node.pods.values()) if (this.#matchesAll(pod)) count++;
    return count;
  }

  podAdded(pod: ScheduledPod, node: NodeInfo): void {
    this.#count(pod, node, 1);
  }

  podRemoved(pod: ScheduledPod, node: NodeInfo): void {
    this.#count(pod, node, -1);
  }

  #count(pod: ScheduledPod, { node }: NodeInfo, change: 1 | -1): void {
    const labels = node.metadata.labels ?? {};
    const { requiredAffinity, requiredAntiAffinity } = this.#pending.terms;
    if (requiredAffinity.length > 0 && this.#matchesAll(pod))
      for (const { topologyKey } of requiredAffinity) this.#near.add(topologyKey, labels, change);
    for (const term of requiredAntiAffinity)
      if (this.#isAbout(term, pod)) this.#away.add(term.topologyKey, labels, change);
    this.#countShunning(pod, labels, change);
  }

  #countShunning(pod: ScheduledPod, labels: Labels, change: 1 | -1): void {
    for (const term of pod.terms.requiredAntiAffinity)
      if (this.#isAbout(term, this.#pending)) this.#shunning.add(term.topologyKey, labels, change);
  }

  #isAbout(term: AffinityTerm, pod: ScheduledPod): boolean {
    return isAbout(term, pod, (namespace) => this.#view.namespaceLabels(namespace));
  }

  #matchesAll(pod: ScheduledPod): boolean {
    return this.#pending.terms.requiredAffinity.every((term) => this.#isAbout(term, pod));
  }

  refusalOf({ node }: NodeInfo): Refusal | undefined {
    const labels = node.metadata.labels ?? {};
    if (!this.#isNearEnough(labels)) {
      return { by: name, reasons: ["node(s) didn't match pod affinity rules"], helpedBy: "nothing" };
    }
    const { requiredAntiAffinity } = this.#pending.terms;
    if (requiredAntiAffinity.some(({ topologyKey }) => this.#away.at(topologyKey, labels) > 0)) {
      return { by: name, reasons: ["node(s) didn't match pod anti-affinity rules"], helpedBy: "preemption" };
    }
    if (this.#shunning.anyAt(labels)) {
      const reasons = ["node(s) didn't satisfy existing pods anti-affinity rules"];
      return { by: name, reasons, helpedBy: "preemption" };
    }
    return undefined;
  }

  #isNearEnough(labels: Readonly<Record<string, string>>): boolean {
    const { requiredAffinity } = this.#pending.terms;
    if (requiredAffinity.length === 0) return true;
    if (requiredAffinity.some(({ topologyKey }) => !Object.hasOwn(labels, topologyKey))) return false;
    if (requiredAffinity.every(({ topologyKey }) => this.#near.at(topologyKey, labels) > 0)) return true;
    // The first of pods that want to be near each other has to go somewhere.
    return this.#near.isEmpty && this.#isSelfAbout;
  }
}
