import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { parseQuantity } from "../machinery/index.ts";
import { filesSettled } from "./testing/files-settled.ts";
import { condition, isReady, steppedNode } from "./testing/stepped-node.ts";

const Mi = 2 ** 20;
const containers = (requests: Record<string, string> = {}): corev1.Container[] => [
  { name: "main", image: "i", resources: { requests } },
];
const isEvicted = ({ status }: corev1.Pod) => status?.phase === "Failed" && status.reason === "Evicted";
const using = (memoryBytes: number) => ({
  memoryBytes,
  containers: new Map([["main", { memoryBytes }]]),
  volumes: new Map(),
});

const nodeCondition = (node: Awaited<ReturnType<typeof steppedNode>>, type: string) =>
  (node.api.get("nodes", undefined, "node-1") as corev1.Node).status!.conditions!.find(
    (c) => c.type === type,
  )!;

/** Steps on by what the next look takes, until `look` finds something. */
async function lookUntil<T>(
  node: Awaited<ReturnType<typeof steppedNode>>,
  look: () => T | undefined,
): Promise<T> {
  return node.eventually("the manager has acted", async () => {
    await filesSettled();
    await node.clock.step(1_000);
    return look();
  });
}

test("a node short of memory shows it, evicts one pod at a time, the worst first, and refuses pods without requests", async () => {
  await using node = await steppedNode({
    evictionHard: { "memory.available": { quantity: parseQuantity("100Mi") } },
  });
  node.usage.set("memory.available", 500 * Mi, 1_000 * Mi);
  node.bind({ name: "modest", containers: containers({ memory: "100Mi" }) });
  node.bind({ name: "hog", containers: containers({ memory: "10Mi" }), terminationGracePeriodSeconds: 600 });
  await node.until("modest", isReady);
  await node.until("hog", isReady);
  node.usage.pods.set("modest", using(50 * Mi));
  node.usage.pods.set("hog", using(300 * Mi));
  assert.equal(nodeCondition(node, "MemoryPressure").status, "False");

  const running = async () =>
    (await node.runtime.listContainers()).filter(({ state }) => state === "running").length;
  const observe = node.usage.observations.bind(node.usage);
  node.usage.observations = async () => {
    node.usage.set("memory.available", ((await running()) === 2 ? 50 : 350) * Mi, 1_000 * Mi);
    return observe();
  };
  const evicted = await lookUntil(node, () => {
    const pod = node.pod("hog")!;
    return isEvicted(pod) ? pod : undefined;
  });
  node.usage.observations = observe;
  node.usage.set("memory.available", 350 * Mi, 1_000 * Mi);
  const message =
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container main was using 300Mi, request is 10Mi, has larger consumption of memory. ";
  assert.equal(evicted.status!.message, message);
  const disruption = condition(evicted, "DisruptionTarget")!;
  assert.deepEqual(
    [disruption.status, disruption.reason, disruption.message],
    ["True", "TerminationByKubelet", message],
  );
  const told = node.seen.find(({ reason }) => reason === "Evicted")!;
  assert.equal(told.message, message);
  assert.equal(told.annotations!["starved_resource"], "memory");
  assert.ok(
    node.seen.some(
      ({ reason, message }) =>
        reason === "EvictionThresholdMet" && message === "Attempting to reclaim memory",
    ),
  );
  assert.equal(await running(), 1);
  const pressure = await lookUntil(node, () => {
    const now = nodeCondition(node, "MemoryPressure");
    return now.status === "True" ? now : undefined;
  });
  assert.equal(pressure.reason, "KubeletHasInsufficientMemory");
  assert.ok(isReady(node.pod("modest")!));

  node.bind({ name: "best-effort", containers: containers() });
  const refused = await node.until("best-effort", isEvicted);
  assert.equal(refused.status!.message, "Pod was rejected: The node had condition: [MemoryPressure]. ");
  node.bind({ name: "burstable", containers: containers({ memory: "1Mi" }) });
  await node.until("burstable", isReady);

  // For the transition period the node says so, though it has room again.
  await node.clock.step(280_000);
  assert.equal(nodeCondition(node, "MemoryPressure").status, "True");
  await lookUntil(node, () => (nodeCondition(node, "MemoryPressure").status === "False" ? true : undefined));
  node.bind({ name: "welcome", containers: containers() });
  await node.until("welcome", isReady);
});

test("a soft threshold waits for its grace period, and gives pods the time to end that is allowed", async () => {
  await using node = await steppedNode({
    evictionHard: {},
    evictionSoft: { "memory.available": { quantity: parseQuantity("100Mi") } },
    evictionSoftGracePeriod: { "memory.available": { ms: 30_000 } },
    evictionMaxPodGracePeriod: 20,
  });
  node.usage.set("memory.available", 50 * Mi, 1_000 * Mi);
  node.bind({ name: "p", containers: containers({ memory: "1Mi" }), terminationGracePeriodSeconds: 600 });
  await node.until("p", isReady);
  node.usage.pods.set("p", using(300 * Mi));
  await node.clock.step(25_000);
  assert.ok(isReady(node.pod("p")!), "not before the grace period is over");
  node.runtime.behaviours = () => ({ onStopSignal: "ignore" });
  const gracesS: number[] = [];
  const stop = node.runtime.stopContainer.bind(node.runtime);
  node.runtime.stopContainer = (id, options) => {
    gracesS.push(options.graceS);
    return stop(id, options);
  };
  await lookUntil(node, () => (isEvicted(node.pod("p")!) ? true : undefined));
  const [graceS] = gracesS;
  assert.ok(graceS! > 0 && graceS! <= 20, `the pod had ${gracesS} s to end`);
});

test("a disk that is short is first cleared of ended containers and unused images, and no pod is evicted if that helps", async () => {
  await using node = await steppedNode({
    evictionHard: { "nodefs.available": { quantity: parseQuantity("100Mi") } },
    imageMinimumGCAge: { ms: 0 },
  });
  node.usage.set("nodefs.available", 500 * Mi, 1_000 * Mi);
  node.bind({ name: "done", restartPolicy: "Never", containers: [{ name: "once", image: "used" }] });
  node.bind({ name: "running", containers: [{ name: "main", image: "running" }] });
  await node.until("done", isReady);
  await node.until("running", isReady);
  node.runtime.exit(node.runtime.find("once")!.id, 0);
  await node.until("done", ({ status }) => status?.phase === "Succeeded");

  const images = async () => (await node.runtime.images.list()).flatMap(({ repoTags }) => repoTags);
  assert.equal((await images()).length, 2);
  const before = node.usage.observations.bind(node.usage);
  node.usage.observations = async () => {
    const left = (await images()).length === 1 ? 600 * Mi : 50 * Mi;
    node.usage.set("nodefs.available", left, 1_000 * Mi);
    return before();
  };
  await node.eventually("the image has gone", async () => {
    await node.clock.step(1_000);
    return (await images()).length === 1 ? true : undefined;
  });
  assert.deepEqual(await images(), ["docker.io/library/running:latest"]);
  assert.equal((await node.runtime.listContainers()).length, 1);
  await node.clock.step(30_000);
  assert.ok(isReady(node.pod("running")!), "there was no need to evict it");
  const done = node.pod("done")!;
  assert.equal(done.status!.phase, "Succeeded");
  assert.equal(done.status!.containerStatuses![0]!.state!.terminated!.exitCode, 0, "its end is still told");
});

test("a pod over a limit of its own on disk is evicted though the node is short of nothing; a critical one is not", async () => {
  await using node = await steppedNode();
  const volumes = [{ name: "cache", emptyDir: { sizeLimit: "1Mi" } }];
  node.bind({ name: "over", containers: containers(), volumes });
  node.bind({ name: "critical", containers: containers(), volumes, priority: 2_000_001_000 });
  await node.until("over", isReady);
  await node.until("critical", isReady);
  for (const name of ["over", "critical"]) {
    node.usage.pods.set(name, {
      containers: new Map(),
      volumes: new Map([["cache", { bytes: 2 * Mi, inodes: 2 }]]),
    });
  }
  const evicted = await lookUntil(node, () => {
    const pod = node.pod("over")!;
    return isEvicted(pod) ? pod : undefined;
  });
  assert.equal(evicted.status!.message, 'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ');
  assert.equal(condition(evicted, "DisruptionTarget"), undefined);
  assert.ok(isReady(node.pod("critical")!));
});
