import type { corev1 } from "../../api/index.ts";
import { readyStatus } from "./health.ts";

/** As upstream's `--unhealthy-zone-threshold` and `--large-cluster-size-threshold`. */
const unhealthyShare = 0.55;
const largeZoneNodes = 50;
/** As `--node-eviction-rate` and `--secondary-node-eviction-rate`: nodes whose pods are driven off, a second. */
const rate = 0.1;
const slowRate = 0.01;

/** Nodes that fail together, as far as one can tell from their labels. */
export const zoneOf = ({ metadata: { labels = {} } }: corev1.Node): string =>
  `${labels["topology.kubernetes.io/region"] ?? ""}/${labels["topology.kubernetes.io/zone"] ?? ""}`;

/**
 * How fast pods are driven off nodes that are not ready, by zone. The more of a zone fails at a time, the likelier it is
 * not the nodes that fail but the way to them; and when nothing at all is ready, it is this side. Pure. As
 * `handleDisruption`.
 */
export function evictionRates(nodes: readonly corev1.Node[]): ReadonlyMap<string, number> {
  const zones = new Map<string, { ready: number; notReady: number }>();
  for (const node of nodes) {
    if (node.metadata.labels?.["node.kubernetes.io/exclude-disruption"] !== undefined) continue;
    const zone = zones.get(zoneOf(node)) ?? { ready: 0, notReady: 0 };
    zones.set(zoneOf(node), zone);
    if (readyStatus(node) === "True") zone.ready++;
    else zone.notReady++;
  }
  const isAllLost = [...zones.values()].every(({ ready }) => ready === 0);
  return new Map(
    [...zones].map(([name, { ready, notReady }]) => {
      if (isAllLost) return [name, 0];
      const isPartlyLost = ready > 0 && notReady > 2 && notReady / (ready + notReady) >= unhealthyShare;
      if (!isPartlyLost) return [name, rate];
      return [name, ready + notReady > largeZoneNodes ? slowRate : 0];
    }),
  );
}

/** Whether there is any node that is ready. */
export const isAllLost = (nodes: readonly corev1.Node[]): boolean =>
  nodes.length > 0 && nodes.every((node) => readyStatus(node) !== "True");
