import type { NodeInfo } from "../node-info.ts";
import {
  defaultConstraints,
  hasAllKeys,
  ownConstraints,
  type SpreadConstraint,
} from "../spread-constraints.ts";
import { type Scorer, scoreMax } from "./scorer.ts";

const hostname = "kubernetes.io/hostname";

/** As PodTopologySpread: constraints with `ScheduleAnyway`, and without any those of the system. */
export const evenSpread: Scorer = {
  name: "PodTopologySpread",
  weight: 2,
  scores: (pending, view, nodes) => {
    const own = ownConstraints(pending, "ScheduleAnyway");
    const constraints = own.length > 0 ? own : defaultConstraints(pending, view);
    if (constraints.length === 0) return undefined;
    /** A node outside a topology that the pod names is as bad as can be; outside one of the system's, no worse for it. */
    const counts = (info: NodeInfo) => own.length === 0 || hasAllKeys(constraints, info.node);
    const considered = nodes.filter(counts);
    const parts = constraints.map((constraint) => costsOf(constraint, considered, view.nodes.filter(counts)));
    const raw = nodes.map((info) =>
      counts(info) ? Math.round(parts.reduce((sum, costOf) => sum + costOf(info), 0)) : undefined,
    );
    return normalised(raw);
  },
};

/** What one constraint says against each node: its pods in the node's domain, weighed by how many domains there are. */
function costsOf(
  constraint: SpreadConstraint,
  considered: readonly NodeInfo[],
  all: readonly NodeInfo[],
): (info: NodeInfo) => number {
  const { topologyKey, maxSkew } = constraint;
  const domainOf = ({ node }: NodeInfo) => node.metadata.labels?.[topologyKey];
  const domains = new Map<string, number>();
  for (const info of considered) {
    const domain = domainOf(info);
    if (domain !== undefined) domains.set(domain, 0);
  }
  // Each node is a domain of its own then.
  const isPerNode = topologyKey === hostname;
  const weight = Math.log((isPerNode ? considered.length : domains.size) + 2);
  if (!isPerNode) {
    for (const info of all) {
      const domain = domainOf(info);
      if (domain === undefined || !domains.has(domain) || !constraint.countsNode(info.node)) continue;
      domains.set(domain, domains.get(domain)! + constraint.countOn(info));
    }
  }
  return (info) => {
    const domain = domainOf(info);
    if (domain === undefined) return 0;
    const count = isPerNode ? constraint.countOn(info) : (domains.get(domain) ?? 0);
    return count * weight + (maxSkew - 1);
  };
}

/** The fewer pods the better; undefined is 0. */
function normalised(raw: readonly (number | undefined)[]): number[] {
  const known = raw.filter((value) => value !== undefined);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  return raw.map((value) => {
    if (value === undefined) return 0;
    return most === 0 ? scoreMax : Math.floor((scoreMax * (most + least - value)) / most);
  });
}
