import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { addPod, newNodeInfo, scheduledPodOf } from "./node-info.ts";
import { schedule } from "./schedule.ts";

function node(
  name: string,
  change: Partial<{ labels: Record<string, string>; spec: corev1.NodeSpec; cpu: string }> = {},
) {
  return newNodeInfo({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...change.labels } },
    spec: change.spec ?? {},
    status: { allocatable: { cpu: change.cpu ?? "2", memory: "4Gi", pods: "110" } },
  } as corev1.Node);
}

function pod(spec: object = {}, requests: Record<string, string> = {}): corev1.Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default" },
    spec: { containers: [{ name: "c", image: "busybox", resources: { requests } }], ...spec },
  } as corev1.Pod;
}

test("a pod goes to the emptier of two nodes", () => {
  const [a, b] = [node("a"), node("b")];
  addPod(a, scheduledPodOf({ ...pod({}, { cpu: "1" }), metadata: { name: "other", namespace: "default" } }));
  assert.deepEqual(schedule(pod({}, { cpu: "500m" }), [a, b]), { node: "b" });
});

test("what is already taken on a node counts against its allocatable", () => {
  const a = node("a");
  addPod(
    a,
    scheduledPodOf({ ...pod({}, { cpu: "1500m" }), metadata: { name: "other", namespace: "default" } }),
  );
  assert.deepEqual(schedule(pod({}, { cpu: "501m" }), [a]), {
    unschedulable: "0/1 nodes are available: 1 Insufficient cpu.",
  });
  assert.deepEqual(schedule(pod({}, { cpu: "500m" }), [a]), { node: "a" });
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
    says: "reasons of several nodes are counted and sorted",
    spec: { nodeSelector: { disk: "ssd" } },
    nodes: [node("a"), node("b", { spec: { unschedulable: true } })],
    why: "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable.",
  },
];
for (const { says, spec, nodes, why } of refusals) {
  test(`unschedulable: ${says}`, () => {
    assert.deepEqual(schedule(pod(spec), nodes), { unschedulable: why });
  });
}

test("a toleration lets a pod onto a tainted node", () => {
  const tainted = node("a", { spec: { taints: [{ key: "dedicated", value: "gpu", effect: "NoSchedule" }] } });
  for (const toleration of [
    { operator: "Exists" },
    { key: "dedicated", operator: "Exists" },
    { key: "dedicated", value: "gpu", effect: "NoSchedule" },
  ]) {
    assert.deepEqual(schedule(pod({ tolerations: [toleration] }), [tainted]), { node: "a" });
  }
});

test("two pods that want the same host port do not share a node", () => {
  const ports = (hostIP?: string) => ({
    containers: [
      { name: "c", image: "x", ports: [{ containerPort: 80, hostPort: 8080, protocol: "TCP", hostIP }] },
    ],
  });
  const a = node("a");
  addPod(
    a,
    scheduledPodOf({ ...pod(ports("127.0.0.1")), metadata: { name: "other", namespace: "default" } }),
  );
  assert.deepEqual(schedule(pod(ports()), [a]), {
    unschedulable: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
  });
  assert.deepEqual(schedule(pod(ports("127.0.0.2")), [a]), { node: "a" });
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
  assert.deepEqual(schedule(pod(preferred), [node("a"), node("b", { labels: { zone: "b" } })]), {
    node: "b",
  });
});
