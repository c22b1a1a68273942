import assert from "node:assert/strict";
import { test } from "node:test";
import { node, on, placed, pod } from "../view.suite.ts";

let made = 0;
const web = (metadata: object = {}) =>
  pod({}, {}, { name: `web-${made++}`, labels: { app: "web" }, ...metadata });
const zone = (name: string, zone: string, pods = 0, more: object = {}) =>
  on(node(name, { labels: { zone, ...more } }), ...Array.from({ length: pods }, () => web()));

const spread = (more: object = {}, spec: object = {}) =>
  pod(
    {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "web" } },
          ...more,
        },
      ],
      ...spec,
    },
    {},
    { labels: { app: "web" } },
  );

const skewed = "node(s) didn't match pod topology spread constraints";

const cases: { says: string; pod: ReturnType<typeof pod>; nodes: ReturnType<typeof node>[]; goes: string }[] =
  [
    {
      says: "a pod goes to the zone with fewer of its kind",
      pod: spread(),
      nodes: [zone("a", "1", 1), zone("b", "2")],
      goes: "b",
    },
    {
      says: "a larger skew may be allowed",
      pod: spread({ maxSkew: 2 }, { nodeSelector: { zone: "1" } }),
      nodes: [zone("a", "1", 1), zone("b", "2")],
      goes: "a",
    },
    {
      says: "a zone counts as a whole",
      pod: spread(),
      nodes: [zone("a1", "1", 2), zone("a2", "1"), zone("b", "2", 1)],
      goes: "b",
    },
    {
      says: "where the emptiest zone can't take it, it waits",
      pod: spread({}, { tolerations: [] }),
      nodes: [
        zone("a", "1", 1),
        node("b", {
          labels: { zone: "2" },
          spec: { taints: [{ key: "k", effect: "NoSchedule" }] },
        }),
      ],
      goes: `0/2 nodes are available: 1 ${skewed}, 1 node(s) had untolerated taint(s).`,
    },
    {
      says: "unless zones it can't go to are left out",
      pod: spread({ nodeTaintsPolicy: "Honor" }),
      nodes: [
        zone("a", "1", 1),
        node("b", { labels: { zone: "2" }, spec: { taints: [{ key: "k", effect: "NoSchedule" }] } }),
      ],
      goes: "a",
    },
    {
      says: "zones that its affinity rules out are left out by themselves",
      pod: spread({}, { nodeSelector: { disk: "ssd" } }),
      nodes: [zone("a", "1", 1, { disk: "ssd" }), zone("b", "2")],
      goes: "a",
    },
    {
      says: "unless they are to count",
      pod: spread({ nodeAffinityPolicy: "Ignore" }, { nodeSelector: { disk: "ssd" } }),
      nodes: [zone("a", "1", 1, { disk: "ssd" }), zone("b", "2")],
      goes: `0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 ${skewed}.`,
    },
    {
      says: "with fewer zones than asked for, the emptiest counts as empty",
      pod: spread({ minDomains: 2 }),
      nodes: [zone("a", "1", 1)],
      goes: `0/1 nodes are available: 1 ${skewed}.`,
    },
    {
      says: "a node outside the topology will not do",
      pod: spread(),
      nodes: [node("a")],
      goes: `0/1 nodes are available: 1 ${skewed} (missing required label).`,
    },
    {
      says: "pods on their way out, and those of other namespaces, do not count",
      pod: spread(),
      nodes: [
        on(zone("a", "1"), web({ deletionTimestamp: "2026-01-01T00:00:00Z" }), web({ namespace: "other" })),
        zone("b", "2", 1),
      ],
      goes: "a",
    },
    {
      says: "only pods of the same version count, where a label key says so",
      pod: pod(
        {
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: "zone",
              whenUnsatisfiable: "DoNotSchedule",
              labelSelector: { matchLabels: { app: "web" } },
              matchLabelKeys: ["version"],
            },
          ],
        },
        {},
        { labels: { app: "web", version: "2" } },
      ),
      nodes: [on(zone("a", "1"), web({ labels: { app: "web", version: "2" } })), zone("b", "2", 5)],
      goes: "b",
    },
  ];
for (const { says, pod, nodes, goes } of cases)
  test(says, () => {
    assert.equal(placed(pod, nodes), goes);
  });
