import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { defaultConfig } from "./config/read-config.ts";
import { graceOf, isGraceful, shutdownGroups } from "./shutdown/shutdown-plan.ts";
import { condition, isReady, steppedNode } from "./testing/stepped-node.ts";

const pod = (name: string, priority?: number, graceS?: number): corev1.Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, uid: name },
  spec: { containers: [], priority, terminationGracePeriodSeconds: graceS },
});
const critical = 2_000_001_000;

test("at a shutdown pods end in two groups, and none has more time than its group or than it asks for", () => {
  const config = {
    ...defaultConfig(),
    shutdownGracePeriod: { ms: 30_000 },
    shutdownGracePeriodCriticalPods: { ms: 10_000 },
  };
  const groups = shutdownGroups(config, [pod("a"), pod("system", critical), pod("b", 1_000_000)]);
  assert.deepEqual(
    groups.map(({ periodS, pods }) => [periodS, pods.map(({ metadata }) => metadata.name)]),
    [
      [20, ["a", "b"]],
      [10, ["system"]],
    ],
  );
  assert.deepEqual(shutdownGroups(config, []), []);
  const [group] = groups;
  assert.equal(graceOf(pod("quick", 0, 5), group!), 5);
  assert.equal(graceOf(pod("slow", 0, 600), group!), 20);
  assert.equal(graceOf(pod("silent"), group!), 20);
});

test("pods end by their priority where settings say how long each class has", () => {
  const config = {
    ...defaultConfig(),
    shutdownGracePeriodByPodPriority: [
      { priority: 100_000, shutdownGracePeriodSeconds: 10 },
      { priority: 2_000_000_000, shutdownGracePeriodSeconds: 60 },
      { priority: 1_000, shutdownGracePeriodSeconds: 30 },
    ],
  };
  const pods = [
    pod("a", 0),
    pod("b", 1_000),
    pod("c", 99_999),
    pod("d", 100_000),
    pod("e", critical),
    pod("f", -5),
  ];
  assert.deepEqual(
    shutdownGroups(config, pods).map((group) => [
      group.periodS,
      group.pods.map(({ metadata }) => metadata.name),
    ]),
    [
      [30, ["a", "b", "c", "f"]],
      [10, ["d"]],
      [60, ["e"]],
    ],
  );
  assert.equal(isGraceful(config), true);
  assert.equal(isGraceful(defaultConfig()), false);
});

test("a node that shuts down ends its pods in order, says why, takes no more, and is not ready", async () => {
  await using node = await steppedNode({
    shutdownGracePeriod: { ms: 30_000 },
    shutdownGracePeriodCriticalPods: { ms: 10_000 },
  });
  node.runtime.behaviours = (_config, { name }) =>
    name === "slow" ? { onStopSignal: "ignore" } : name === "quick" ? { stopAfterMs: 2_000 } : {};
  const containers = (name: string) => [{ name, image: "i" }];
  node.bind({ name: "quick", containers: containers("quick"), terminationGracePeriodSeconds: 600 });
  node.bind({ name: "slow", containers: containers("slow"), terminationGracePeriodSeconds: 600 });
  node.bind({ name: "system", containers: containers("system"), priority: critical });
  for (const name of ["quick", "slow", "system"]) await node.until(name, isReady);

  const startAtMs = node.clock.now();
  let isOver = false;
  const shuttingDown = node.kubelet.shutDown().then(() => {
    isOver = true;
  });
  const isTerminated = ({ status }: corev1.Pod) =>
    status?.phase === "Failed" && status.reason === "Terminated";
  await node.eventually("the quick one has ended", async () => {
    await node.clock.step(500);
    return isTerminated(node.pod("quick")!) ? true : undefined;
  });
  assert.ok(node.clock.now() - startAtMs < 15_000);
  assert.ok(isReady(node.pod("system")!), "those that others need go last");
  const self = () => node.api.get("nodes", undefined, "node-1") as corev1.Node;
  const ready = () => self().status!.conditions!.find(({ type }) => type === "Ready")!;
  await node.eventually("the node says so", async () => (ready().status === "False" ? true : undefined));
  assert.equal(ready().message, "node is shutting down");
  node.bind({ name: "late", containers: containers("late") });
  const late = await node.until("late", ({ status }) => status?.phase === "Failed");
  assert.equal(late.status!.reason, "NodeShutdown");
  assert.equal(late.status!.message, "Pod was rejected: Pod was rejected as the node is shutting down.");

  await node.eventually("all have ended", async () => {
    await node.clock.step(500);
    return isOver ? true : undefined;
  });
  await shuttingDown;
  // Its own end: files are removed in real time, while this clock runs on.
  const { finishedAt } = (await node.until("slow", isTerminated)).status!.containerStatuses![0]!.state!
    .terminated!;
  const tookS = (Date.parse(finishedAt!) - startAtMs) / 1_000;
  assert.ok(tookS >= 20 && tookS <= 22, `it had the 20 s of its group to end, and no more: ${tookS}`);
  for (const name of ["quick", "slow", "system"]) {
    const ended = await node.until(name, isTerminated);
    assert.equal(ended.status!.message, "Pod was terminated in response to imminent node shutdown.");
    assert.equal(condition(ended, "DisruptionTarget")!.reason, "TerminationByKubelet");
  }
});

test("without a grace period for it, a node's end leaves its pods alone", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  await node.kubelet.shutDown();
  await node.clock.step(1_000);
  assert.ok(isReady(node.pod("p")!));
});
