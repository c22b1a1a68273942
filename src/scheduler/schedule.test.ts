import assert from "node:assert/strict";
import { test } from "node:test";
import { node, on, placed, pod } from "./view.suite.ts";

test("a pod goes to the emptier of two nodes", () => {
  const a = on(node("a"), pod({}, { cpu: "1" }, { name: "other" }));
  assert.equal(placed(pod({}, { cpu: "500m" }), [a, node("b")]), "b");
});

test("what is already taken on a node counts against its allocatable", () => {
  const a = on(node("a"), pod({}, { cpu: "1500m" }, { name: "other" }));
  assert.equal(placed(pod({}, { cpu: "501m" }), [a]), "0/1 nodes are available: 1 Insufficient cpu.");
  assert.equal(placed(pod({}, { cpu: "500m" }), [a]), "a");
});

/** Terms, each of fields that all have to hold. */
const named = (terms: string[][]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: terms.map((names) => ({
          matchFields: names.map((name) => ({ key: "metadata.name", operator: "In", values: [name] })),
        })),
      },
    },
  },
});

const refusals: {
  says: string;
  spec: object;
  nodes: ReturnType<typeof node>[];
  why: string;
}[] = [
  {
    says: "without nodes there is nowhere to go",
    spec: {},
    nodes: [],
    why: "no nodes available to schedule pods",
  },
  {
    says: "a node selector that no label matches",
    spec: { nodeSelector: { disk: "ssd" } },
    nodes: [node("a"), node("b")],
    why: "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    says: "a taint that is not tolerated",
    spec: {},
    nodes: [node("a", { spec: { taints: [{ key: "dedicated", value: "gpu", effect: "NoSchedule" }] } })],
    why: "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
  },
  {
    says: "nodes that are not named are not looked at",
    spec: named([["b"], ["c"]]),
    nodes: [node("a", { spec: { unschedulable: true } }), node("b", { spec: { unschedulable: true } })],
    why: "0/2 nodes are available: 1 node(s) didn't satisfy plugin(s) [NodeAffinity], 1 node(s) were unschedulable.",
  },
  {
    says: "no node has two names",
    spec: named([["a", "b"]]),
    nodes: [node("a"), node("b")],
    why: "0/2 nodes are available: pod affinity terms conflict.",
  },
  {
    says: "reasons of several nodes are counted and sorted",
    spec: { nodeSelector: { disk: "ssd" } },
    nodes: [node("a"), node("b", { spec: { unschedulable: true } })],
    why: "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable.",
  },
];
for (const { says, spec, nodes, why } of refusals) {
  test(`unschedulable: ${says}`, () => {
    assert.equal(placed(pod(spec), nodes), why);
  });
}

test("a toleration lets a pod onto a tainted node", () => {
  const tainted = node("a", { spec: { taints: [{ key: "dedicated", value: "gpu", effect: "NoSchedule" }] } });
  for (const toleration of [
    { operator: "Exists" },
    { key: "dedicated", operator: "Exists" },
    { key: "dedicated", value: "gpu", effect: "NoSchedule" },
  ]) {
    assert.equal(placed(pod({ tolerations: [toleration] }), [tainted]), "a");
  }
});

test("two pods that want the same host port do not share a node", () => {
  const ports = (hostIP?: string) => ({
    containers: [
      { name: "c", image: "x", ports: [{ containerPort: 80, hostPort: 8080, protocol: "TCP", hostIP }] },
    ],
  });
  const a = on(node("a"), pod(ports("127.0.0.1"), {}, { name: "other" }));
  assert.equal(
    placed(pod(ports()), [a]),
    "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  );
  assert.equal(placed(pod(ports("127.0.0.2")), [a]), "a");
});

test("preferred node affinity decides among nodes that fit", () => {
  const preferred = {
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 10, preference: { matchExpressions: [{ key: "zone", operator: "In", values: ["b"] }] } },
        ],
      },
    },
  };
  assert.equal(placed(pod(preferred), [node("a"), node("b", { labels: { zone: "b" } })]), "b");
});
