import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import type { TestNode } from "./testing/node.ts";
import { condition, isReady, statusOf, steppedNode } from "./testing/stepped-node.ts";

/*
 * In-place resize on a simulated engine: what a pod is given, who waits, what is kept over a restart of the agent.
 */

type Lists = { requests?: Record<string, string>; limits?: Record<string, string> };

const both = (cpu: string, memory: string): Lists => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});

const mebi = 1024 * 1024;

/** As the API server after a PATCH of `/resize`. */
function resize(
  node: TestNode,
  name: string,
  resources: Record<string, Lists>,
  podLevel?: Lists,
): corev1.Pod {
  const pod = node.pod(name)!;
  const given = (container: corev1.Container) =>
    resources[container.name] ? { ...container, resources: resources[container.name] } : container;
  return node.api.put("pods", {
    ...pod,
    metadata: { ...pod.metadata, generation: pod.metadata.generation! + 1 },
    spec: {
      ...pod.spec!,
      ...(podLevel && { resources: podLevel }),
      containers: pod.spec!.containers.map(given),
      ...(pod.spec!.initContainers && { initContainers: pod.spec!.initContainers.map(given) }),
    },
  }) as corev1.Pod;
}

const isSettled = (pod: corev1.Pod) =>
  pod.status?.observedGeneration === pod.metadata.generation &&
  !condition(pod, "PodResizePending") &&
  !condition(pod, "PodResizeInProgress");

const eventsOf = (node: TestNode, reason: string) => node.seen.filter((event) => event.reason === reason);

/** What the node has, all told. */
async function cpuOf(node: TestNode): Promise<number> {
  const [object] = node.api.all("nodes") as corev1.Node[];
  return Number(object!.status!.allocatable!.cpu) * 1000;
}

test("a running container gets more without a restart: the pod's cgroup first, then the container's", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i", resources: both("100m", "64Mi") }] });
  await node.until("p", isReady);
  const { id, sandboxId } = node.runtime.find("c")!;
  resize(node, "p", { c: both("200m", "128Mi") });
  const pod = await node.until("p", (now) => isSettled(now) && eventsOf(node, "ResizeCompleted").length > 0);
  const status = statusOf(pod, "c")!;
  assert.deepEqual(status.resources, both("200m", "128Mi"));
  assert.deepEqual(status.allocatedResources, { cpu: "200m", memory: "128Mi" });
  assert.equal(status.restartCount, 0);
  assert.deepEqual(pod.status?.resources, both("200m", "128Mi"));
  assert.deepEqual(pod.status?.allocatedResources, { cpu: "200m", memory: "128Mi" });
  assert.deepEqual(
    node.runtime.updates.map(({ id: to, resources }) => [to === sandboxId ? "pod" : to === id, resources]),
    [
      ["pod", { memoryLimitBytes: 128 * mebi }],
      [true, { memoryLimitBytes: 128 * mebi, memorySwapLimitBytes: 128 * mebi }],
      ["pod", { cpuQuotaUs: 20_000, cpuPeriodUs: 100_000 }],
      ["pod", { cpuShares: 204 }],
      [true, { cpuShares: 204, cpuQuotaUs: 20_000, cpuPeriodUs: 100_000 }],
    ],
  );
  const summary = JSON.stringify({
    containers: [
      {
        name: "c",
        resources: {
          limits: { cpu: "200m", memory: "128Mi" },
          requests: { cpu: "200m", memory: "128Mi" },
        },
      },
    ],
    generation: 2,
  });
  assert.deepEqual(
    node.seen
      .filter(({ reason }) => reason.startsWith("Resize"))
      .map(({ reason, message }) => [reason, message]),
    [
      ["ResizeStarted", `Pod resize started: ${summary}`],
      ["ResizeCompleted", `Pod resize completed: ${summary}`],
    ],
  );
});

test("a container whose policy asks for it restarts, whatever it ends with; the others run on", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    restartPolicy: "OnFailure",
    containers: [
      {
        name: "restarts",
        image: "i",
        resources: both("100m", "64Mi"),
        resizePolicy: [
          { resourceName: "cpu", restartPolicy: "NotRequired" },
          { resourceName: "memory", restartPolicy: "RestartContainer" },
        ],
      },
      { name: "stays", image: "i", resources: both("100m", "64Mi") },
    ],
  });
  await node.until("p", isReady);
  resize(node, "p", { restarts: both("200m", "64Mi") });
  const first = await node.until(
    "p",
    (now) => isSettled(now) && statusOf(now, "restarts")?.resources?.limits?.cpu === "200m",
  );
  assert.equal(statusOf(first, "restarts")!.restartCount, 0);
  resize(node, "p", { restarts: both("200m", "128Mi"), stays: both("200m", "128Mi") });
  const pod = await node.until(
    "p",
    (now) => isSettled(now) && isReady(now) && statusOf(now, "restarts")?.restartCount === 1,
  );
  assert.equal(statusOf(pod, "stays")!.restartCount, 0);
  assert.deepEqual(statusOf(pod, "restarts")!.resources, both("200m", "128Mi"));
  const { id } = node.runtime.find("restarts")!;
  assert.equal(node.runtime.configOf(id).linux.resources.memoryLimitBytes, 128 * mebi);
  assert.deepEqual(
    eventsOf(node, "Killing").map(({ message }) => message),
    ["Container restarts resize requires restart"],
  );
});

test("a resize that has no room waits, runs on with what it had, and is given it when a pod ends", async () => {
  await using node = await steppedNode();
  const all = await cpuOf(node);
  const most = { requests: { cpu: `${all - 300}m` } };
  node.bind({ name: "large", containers: [{ name: "c", image: "i", resources: most }] });
  node.bind({
    name: "small",
    containers: [{ name: "c", image: "i", resources: { requests: { cpu: "200m" } } }],
  });
  await node.until("large", isReady);
  await node.until("small", isReady);
  resize(node, "small", { c: { requests: { cpu: "400m" } } });
  const waiting = await node.until("small", (pod) => condition(pod, "PodResizePending") !== undefined);
  const pending = condition(waiting, "PodResizePending")!;
  assert.equal(pending.status, "True");
  assert.equal(pending.reason, "Deferred");
  assert.equal(
    pending.message,
    `Node didn't have enough resource: cpu, requested: 400, used: ${all - 300}, capacity: ${all}`,
  );
  assert.equal(pending.observedGeneration, 2);
  assert.equal(waiting.status!.observedGeneration, 2);
  assert.deepEqual(statusOf(waiting, "c")!.allocatedResources, { cpu: "200m" });
  assert.deepEqual(statusOf(waiting, "c")!.resources, { requests: { cpu: "200m" } });
  assert.deepEqual(node.runtime.updates, []);
  assert.match(
    eventsOf(node, "ResizeDeferred")[0]!.message,
    /^Pod resize OutOfcpu: \{"containers":.*"error":"Node didn't/,
  );

  await node.api.request({
    verb: "delete",
    resource: node.pods,
    namespace: "default",
    name: "large",
    options: { gracePeriodSeconds: 1 },
  });
  await node.untilGone("large");
  const given = await node.until(
    "small",
    (pod) => isSettled(pod) && statusOf(pod, "c")?.resources?.requests?.cpu === "400m",
  );
  assert.equal(statusOf(given, "c")!.restartCount, 0);
});

test("a resize that is taken back waits no more", async () => {
  await using node = await steppedNode();
  const all = await cpuOf(node);
  node.bind({ name: "p", containers: [{ name: "c", image: "i", resources: { requests: { cpu: "200m" } } }] });
  await node.until("p", isReady);
  resize(node, "p", { c: { requests: { cpu: `${all + 1}m` } } });
  await node.until("p", (pod) => condition(pod, "PodResizePending") !== undefined);
  resize(node, "p", { c: { requests: { cpu: "200m" } } });
  await node.until("p", isSettled);
  assert.deepEqual(node.runtime.updates, []);
});

test("of those that wait the one of the highest priority is given room first; each that shrinks may help the next", async () => {
  await using node = await steppedNode();
  const all = await cpuOf(node);
  const cpu = (milli: number) => ({ requests: { cpu: `${milli}m` } });
  const container = (milli: number) => [{ name: "c", image: "i", resources: cpu(milli) }];
  const most = Math.floor((2 * all) / 3);
  node.bind({ name: "first", containers: container(most) });
  node.bind({ name: "low", containers: container(50) });
  node.bind({ name: "high", priority: 1000, containers: container(50) });
  for (const name of ["first", "low", "high"]) await node.until(name, isReady);
  for (const name of ["low", "high"]) {
    resize(node, name, { c: cpu(most) });
    await node.until(name, (pod) => condition(pod, "PodResizePending") !== undefined);
  }
  resize(node, "first", { c: cpu(10) });
  await node.until("high", isSettled);
  assert.ok(condition(node.pod("low")!, "PodResizePending"));
  resize(node, "high", { c: cpu(10) });
  await node.until("low", isSettled);
});

test("a memory limit below what is in use is an error that is told, kept away from the cgroup, and tried again", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i", resources: both("100m", "64Mi") }] });
  await node.until("p", isReady);
  const { id } = node.runtime.find("c")!;
  node.runtime.usage.set(id, { memoryUsageBytes: 40 * mebi });
  resize(node, "p", { c: both("100m", "32Mi") });
  const failing = await node.until("p", (pod) => condition(pod, "PodResizeInProgress")?.reason === "Error");
  assert.equal(
    condition(failing, "PodResizeInProgress")!.message,
    `cannot decrease memory limits: [attempting to set pod memory limit (${32 * mebi}) below current usage (${40 * mebi}), attempting to set container "c" memory limit (${32 * mebi}) below current usage (${40 * mebi})]`,
  );
  assert.deepEqual(statusOf(failing, "c")!.resources, both("100m", "64Mi"));
  assert.deepEqual(statusOf(failing, "c")!.allocatedResources, { cpu: "100m", memory: "32Mi" });
  assert.equal(eventsOf(node, "ResizeError").length, 1);
  assert.deepEqual(node.runtime.updates, []);
  node.runtime.usage.set(id, { memoryUsageBytes: mebi });
  await node.clock.step(1_000);
  const done = await node.until("p", isSettled);
  assert.deepEqual(statusOf(done, "c")!.resources, both("100m", "32Mi"));
  // It shrinks from the inside.
  assert.deepEqual(
    node.runtime.updates.map(({ id: to }) => to === id),
    [true, false],
  );
});

test("an engine that refuses is an error, and what it refused is tried again", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i", resources: both("100m", "64Mi") }] });
  await node.until("p", isReady);
  node.runtime.updateError = new RuntimeError("Internal", "no such luck");
  resize(node, "p", { c: both("200m", "64Mi") });
  const failing = await node.until("p", (pod) => condition(pod, "PodResizeInProgress")?.reason === "Error");
  assert.equal(condition(failing, "PodResizeInProgress")!.message, "no such luck");
  node.runtime.updateError = undefined;
  await node.clock.step(1_000);
  await node.until("p", isSettled);
});

test("what was given outlives the agent; what was asked for while it was away is decided by the next one", async () => {
  await using node = await steppedNode();
  const all = await cpuOf(node);
  node.bind({ name: "given", containers: [{ name: "c", image: "i", resources: both("100m", "64Mi") }] });
  node.bind({
    name: "asking",
    containers: [{ name: "c", image: "i", resources: { requests: { cpu: "100m" } } }],
  });
  await node.until("given", isReady);
  await node.until("asking", isReady);
  resize(node, "given", { c: both("200m", "128Mi") });
  await node.until("given", (pod) => isSettled(pod) && statusOf(pod, "c")?.resources?.limits?.cpu === "200m");
  const done = node.runtime.updates.length;
  await node.stop();
  resize(node, "asking", { c: { requests: { cpu: `${all}m` } } });
  await node.start();
  const asking = await node.until("asking", (pod) => condition(pod, "PodResizePending") !== undefined);
  assert.deepEqual(statusOf(asking, "c")!.allocatedResources, { cpu: "100m" });
  // Nothing is written anew, and nothing restarts.
  await node.restart();
  const given = await node.until("given", isSettled);
  assert.equal(statusOf(given, "c")!.restartCount, 0);
  assert.deepEqual(statusOf(given, "c")!.resources, both("200m", "128Mi"));
  assert.equal(node.runtime.updates.length, done);
  assert.ok(condition(node.pod("asking")!, "PodResizePending"));
});

test("the pod's own resources change in place, and with them the limits of containers that have none", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    resources: both("200m", "128Mi"),
    containers: [
      { name: "bare", image: "i" },
      { name: "own", image: "i", resources: both("100m", "64Mi") },
    ],
  });
  await node.until("p", isReady);
  const [bare, own] = [node.runtime.find("bare")!, node.runtime.find("own")!];
  resize(node, "p", {}, both("400m", "256Mi"));
  const pod = await node.until("p", (now) => isSettled(now) && now.status?.resources?.limits?.cpu === "400m");
  assert.deepEqual(pod.status?.resources, both("400m", "256Mi"));
  assert.deepEqual(pod.status?.allocatedResources, { cpu: "400m", memory: "256Mi" });
  assert.equal(node.runtime.resources.get(bare.id)?.memoryLimitBytes, 256 * mebi);
  assert.equal(node.runtime.resources.get(own.id), undefined);
  assert.equal(node.runtime.resources.get(bare.sandboxId)?.cpuQuotaUs, 40_000);
});

test("a sidecar is resized as any container, and so is an init container while it runs", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    initContainers: [
      { name: "side", image: "i", restartPolicy: "Always", resources: both("100m", "64Mi") },
      { name: "once", image: "i", resources: both("100m", "64Mi") },
    ],
    containers: [{ name: "c", image: "i", resources: both("100m", "64Mi") }],
  });
  await node.until("p", (pod) => statusOf(pod, "once")?.state?.running !== undefined);
  resize(node, "p", { side: both("200m", "64Mi"), once: both("200m", "128Mi") });
  const pod = await node.until(
    "p",
    (now) => isSettled(now) && statusOf(now, "once")?.resources?.limits?.cpu === "200m",
  );
  assert.deepEqual(statusOf(pod, "side")!.resources, both("200m", "64Mi"));
  assert.deepEqual(statusOf(pod, "once")!.resources, both("200m", "128Mi"));
  assert.equal(node.runtime.resources.get(node.runtime.find("side")!.id)?.cpuQuotaUs, 20_000);
});
