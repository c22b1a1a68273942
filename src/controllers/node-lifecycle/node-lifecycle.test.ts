import assert from "node:assert/strict";
import { test } from "node:test";
import type { coordinationv1, corev1 } from "../../api/index.ts";
import { SteppedClock } from "../../base/index.ts";
import { formatMicroTime, formatTime } from "../../machinery/index.ts";
import { controllersOn } from "../running.suite.ts";
import { patienceMs, signOf, unknownConditions } from "./health.ts";
import { NodeLifecycle } from "./node-lifecycle.ts";
import { noExecuteKey, noScheduleKeys, tainted } from "./taints.ts";
import { evictionRates } from "./zones.ts";

const nowMs = Date.UTC(2026, 0, 1);

const node = (
  conditions: Record<string, string>,
  change: { spec?: corev1.NodeSpec; zone?: string; heartbeat?: string } = {},
): corev1.Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: {
    name: "n",
    creationTimestamp: formatTime(nowMs),
    labels: { "topology.kubernetes.io/zone": change.zone ?? "a" },
  },
  spec: change.spec ?? {},
  status: {
    conditions: Object.entries(conditions).map(([type, status]) => ({
      type,
      status,
      ...(change.heartbeat && { lastHeartbeatTime: change.heartbeat }),
    })),
  },
});
const lease = (renewTime: string) => ({ spec: { renewTime } }) as coordinationv1.Lease;

test("a node lives as long as it renews its lease or writes its status", () => {
  const first = signOf(undefined, node({ Ready: "True" }, { heartbeat: "1" }), lease("1"), 1_000);
  const silent = signOf(first, node({ Ready: "True" }, { heartbeat: "1" }), lease("1"), 9_000);
  assert.equal(silent.atMs, 1_000);
  assert.equal(signOf(first, node({ Ready: "True" }, { heartbeat: "1" }), lease("2"), 9_000).atMs, 9_000);
  assert.equal(signOf(first, node({ Ready: "True" }, { heartbeat: "2" }), lease("1"), 9_000).atMs, 9_000);
  assert.equal(patienceMs(first, node({ Ready: "True" }), 41_000), 10_000);
  // One that has never said anything has longer.
  assert.equal(patienceMs(first, node({}), 41_000), 20_000);
});

test("of a silent node nothing is known", () => {
  const conditions = unknownConditions(
    node({ Ready: "True", DiskPressure: "False", Custom: "True" }),
    nowMs,
  )!;
  assert.deepEqual(
    conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    [
      "Ready Unknown NodeStatusUnknown",
      "DiskPressure Unknown NodeStatusUnknown",
      "Custom True undefined",
      "MemoryPressure Unknown NodeStatusNeverUpdated",
      "PIDPressure Unknown NodeStatusNeverUpdated",
    ],
  );
  assert.equal(unknownConditions(node({ Ready: "Unknown" }), nowMs), undefined);
});

test("conditions and a cordon are taints for new pods", () => {
  assert.deepEqual(noScheduleKeys(node({ Ready: "True" })), []);
  assert.deepEqual(
    noScheduleKeys(
      node(
        { Ready: "False", MemoryPressure: "True", PIDPressure: "False" },
        { spec: { unschedulable: true } },
      ),
    ),
    [
      "node.kubernetes.io/not-ready",
      "node.kubernetes.io/memory-pressure",
      "node.kubernetes.io/unschedulable",
    ],
  );
  assert.deepEqual(noScheduleKeys(node({ Ready: "Unknown" })), ["node.kubernetes.io/unreachable"]);
  assert.equal(noExecuteKey(node({ Ready: "Unknown" })), "node.kubernetes.io/unreachable");
  assert.equal(noExecuteKey(node({ Ready: "True" })), undefined);
});

test("taints of others stay, our own come and go", () => {
  const theirs: corev1.Taint = { key: "dedicated", value: "gpu", effect: "NoSchedule" };
  const ours: corev1.Taint = {
    key: "node.kubernetes.io/not-ready",
    effect: "NoExecute",
    timeAdded: formatTime(0),
  };
  const both = node({}, { spec: { taints: [theirs, ours] } });
  assert.deepEqual(tainted(both, { noSchedule: [], noExecute: undefined }, nowMs), [theirs]);
  assert.equal(tainted(both, { noSchedule: [], noExecute: ours.key }, nowMs), undefined);
  assert.deepEqual(tainted(both, { noSchedule: [], noExecute: "node.kubernetes.io/unreachable" }, nowMs), [
    theirs,
    { key: "node.kubernetes.io/unreachable", effect: "NoExecute", timeAdded: formatTime(nowMs) },
  ]);
});

test("the more of a zone is lost, the slower its pods are driven off; with everything lost, none are", () => {
  const zone = (name: string, ready: number, lost: number) => [
    ...Array.from({ length: ready }, () => node({ Ready: "True" }, { zone: name })),
    ...Array.from({ length: lost }, () => node({ Ready: "Unknown" }, { zone: name })),
  ];
  const rates = (...nodes: corev1.Node[][]) => [...evictionRates(nodes.flat()).values()];
  assert.deepEqual(rates(zone("a", 3, 1)), [0.1]);
  assert.deepEqual(rates(zone("a", 2, 3)), [0]);
  assert.deepEqual(rates(zone("a", 20, 40)), [0.01]);
  assert.deepEqual(rates(zone("a", 0, 3), zone("b", 1, 0)), [0.1, 0.1]);
  assert.deepEqual(rates(zone("a", 0, 3), zone("b", 0, 1)), [0, 0]);
});

test("a node that falls silent is lost, its pods are not ready, and it is tainted until it is back", async (t) => {
  const clock = new SteppedClock();
  const running = await controllersOn((context) => [new NodeLifecycle(context)], { clock });
  t.after(() => running.close());
  const conditions = [{ type: "Ready", status: "True", lastHeartbeatTime: formatTime(clock.now()) }];
  for (const name of ["silent", "steady"]) {
    await running.create({ apiVersion: "v1", kind: "Node", metadata: { name }, spec: {}, status: {} });
    await running.patchStatus("v1", "nodes", name, { conditions });
  }
  await running.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { nodeName: "silent", containers: [{ name: "c", image: "i" }] },
  });
  await running.patchStatus("v1", "pods", "p", { conditions: [{ type: "Ready", status: "True" }] });
  const beat = (name: string) => {
    const heartbeat = { type: "Ready", status: "True", lastHeartbeatTime: formatMicroTime(clock.now()) };
    return running.patchStatus("v1", "nodes", name, { conditions: [heartbeat] });
  };
  const taintsOf = (is: (taints: string[]) => boolean) =>
    running.until<corev1.Node>("v1", "nodes", "silent", ({ spec }) =>
      is((spec?.taints ?? []).map(({ key, effect }) => `${key.split("/")[1]}:${effect}`)),
    );
  const lost = taintsOf((taints) => taints.join() === "unreachable:NoSchedule,unreachable:NoExecute");
  for (let steps = 0; steps < 12; steps++) {
    await beat("steady");
    await clock.step(5_000);
  }
  const node = await lost;
  assert.equal(node.status!.conditions!.find(({ type }) => type === "Ready")!.reason, "NodeStatusUnknown");
  await running.until<corev1.Pod>("v1", "pods", "p", ({ status }) =>
    status!.conditions!.some(({ type, status }) => type === "Ready" && status === "False"),
  );
  assert.ok(running.told.includes("silent NodeNotReady: Node silent status is now: NodeNotReady"));
  assert.ok(running.told.includes("p NodeNotReady: Node is not ready"));
  assert.ok(
    running.told.includes("silent RegisteredNode: Node silent event: Registered Node silent in Controller"),
  );
  const back = taintsOf((taints) => taints.length === 0);
  await beat("silent");
  await back;
});

test("kubectl cordon becomes a taint", async (t) => {
  const running = await controllersOn((context) => [new NodeLifecycle(context)]);
  t.after(() => running.close());
  await running.create({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n" },
    spec: { unschedulable: true },
  });
  const is = (count: number) =>
    running.until<corev1.Node>("v1", "nodes", "n", ({ spec }) => (spec?.taints ?? []).length === count);
  const { spec } = await is(1);
  assert.equal(spec!.taints![0]!.key, "node.kubernetes.io/unschedulable");
  await running.patch("v1", "nodes", "n", { spec: { unschedulable: null } });
  await is(0);
});
