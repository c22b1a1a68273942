import type { NodeInfo, ScheduledPod } from "../node-info.ts";
import { hasAllKeys, ownConstraints, type SpreadConstraint } from "../spread-constraints.ts";
import type { Check, Filter, PendingPod, Refusal } from "./filter.ts";

const name = "PodTopologySpread";
const skewed = "node(s) didn't match pod topology spread constraints";

/** As plugin PodTopologySpread: constraints with `DoNotSchedule`. */
export const podTopologySpreadFilter: Filter = {
  name,
  wakesOn: ["node", "pod-placed", "pod-going", "pod-gone"],
  prepare: (pending, view) => {
    const constraints = ownConstraints(pending, "DoNotSchedule");
    if (constraints.length === 0) return undefined;
    const spread = new Spread(pending, constraints);
    for (const node of view.nodes) spread.countNode(node);
    return spread;
  },
};

class Spread implements Check {
  readonly #pending: PendingPod;
  readonly #constraints: readonly SpreadConstraint[];
  /** Pods by domain, for each constraint; a domain without pods counts, too. */
  readonly #domains: readonly Map<string, number>[];
  /** The fewest pods of a domain, for each constraint, once asked for. */
  readonly #fewest: (number | undefined)[] = [];

  constructor(pending: PendingPod, constraints: readonly SpreadConstraint[]) {
    this.#pending = pending;
    this.#constraints = constraints;
    this.#domains = constraints.map(() => new Map());
  }

  countNode(info: NodeInfo): void {
    if (!hasAllKeys(this.#constraints, info.node)) return;
    this.#constraints.forEach((constraint, i) => {
      if (!constraint.countsNode(info.node)) return;
      this.#add(i, info, constraint.countOn(info));
    });
  }

  #add(i: number, { node }: NodeInfo, amount: number): void {
    const value = node.metadata.labels![this.#constraints[i]!.topologyKey]!;
    const domain = this.#domains[i]!;
    domain.set(value, (domain.get(value) ?? 0) + amount);
    this.#fewest[i] = undefined;
  }

  podAdded(pod: ScheduledPod, node: NodeInfo): void {
    this.#podChanged(pod, node, 1);
  }

  podRemoved(pod: ScheduledPod, node: NodeInfo): void {
    this.#podChanged(pod, node, -1);
  }

  #podChanged(pod: ScheduledPod, node: NodeInfo, change: 1 | -1): void {
    if (pod.namespace !== this.#pending.namespace || pod.pod.metadata.deletionTimestamp) return;
    if (!hasAllKeys(this.#constraints, node.node)) return;
    this.#constraints.forEach((constraint, i) => {
      if (constraint.countsNode(node.node) && constraint.selector.matches(pod.labels))
        this.#add(i, node, change);
    });
  }

  refusalOf({ node }: NodeInfo): Refusal | undefined {
    const labels = node.metadata.labels ?? {};
    for (const [i, { topologyKey, maxSkew, minDomains, selector }] of this.#constraints.entries()) {
      if (!Object.hasOwn(labels, topologyKey))
        return { by: name, reasons: [`${skewed} (missing required label)`], helpedBy: "nothing" };
      const domains = this.#domains[i]!;
      if (domains.size >= minDomains) this.#fewest[i] ??= least(domains);
      const fewest = domains.size < minDomains ? 0 : this.#fewest[i]!;
      const self = selector.matches(this.#pending.labels) ? 1 : 0;
      const skew = (domains.get(labels[topologyKey]!) ?? 0) + self - fewest;
      if (skew > maxSkew) return { by: name, reasons: [skewed], helpedBy: "preemption" };
    }
    return undefined;
  }
}

function least(domains: ReadonlyMap<string, number>): number {
  let least = Number.MAX_SAFE_INTEGER;
  for (const count of domains.values()) if (count < least) least = count;
  return least;
}
