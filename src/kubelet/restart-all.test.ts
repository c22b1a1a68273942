import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { condition, isReady, remove, statusOf, steppedNode } from "./testing/stepped-node.ts";

const restartPolicyRules: corev1.ContainerRestartRule[] = [
  { action: "RestartAllContainers", exitCodes: { operator: "In", values: [42] } },
];
/** Ends for good but for the exit code of the rule. */
const source = (name: string, more: Partial<corev1.Container> = {}): corev1.Container => ({
  ...{ name, image: "i", restartPolicy: "Never", restartPolicyRules },
  ...more,
});
const restartCounts = (pod: corev1.Pod) =>
  Object.fromEntries(
    [...(pod.status!.initContainerStatuses ?? []), ...pod.status!.containerStatuses!].map((status) => [
      status.name,
      status.restartCount,
    ]),
  );

test("all containers of a pod start anew when one ends as its rule says, in the same sandbox", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => (metadata.name === "init" ? { exitAfterMs: 1_000 } : {});
  node.bind({
    name: "p",
    restartPolicy: "Never",
    initContainers: [
      { name: "init", image: "i" },
      { name: "sidecar", image: "i", restartPolicy: "Always" },
    ],
    containers: [source("source"), { name: "regular", image: "i" }],
  });
  await node.until("p", (pod) => statusOf(pod, "init")?.state?.running !== undefined);
  await node.clock.step(1_000);
  const before = await node.until("p", isReady);
  assert.equal(condition(before, "AllContainersRestarting")!.status, "False");
  const sandbox = (await node.runtime.listPodSandboxes())[0]!.id;

  node.runtime.exit(node.runtime.find("source")!.id, 42);
  const again = await node.until("p", (pod) => {
    const init = statusOf(pod, "init")!;
    return init.restartCount === 1 && init.state?.running !== undefined;
  });
  // As kubelet: while init containers run, a pod is Pending, also when they run again.
  assert.equal(again.status!.phase, "Pending");
  assert.equal(condition(again, "Initialized")!.status, "True", "a pod is initialized once");
  await node.clock.step(1_000);
  const after = await node.until("p", isReady);
  assert.deepEqual(restartCounts(after), { init: 1, sidecar: 1, source: 1, regular: 1 });
  assert.equal(condition(after, "AllContainersRestarting")!.status, "False");
  assert.equal(statusOf(after, "source")!.lastState!.terminated!.exitCode, 42);
  const { exitCode, reason } = statusOf(after, "regular")!.lastState!.terminated!;
  assert.deepEqual({ exitCode, reason }, { exitCode: 137, reason: "RestartingAllContainers" });
  assert.equal((await node.runtime.listPodSandboxes())[0]!.id, sandbox);
  assert.ok(node.seen.some(({ reason, message }) => reason === "Killing" && message === "killing"));
});

test("another exit code is judged by the container's policy", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", restartPolicy: "Never", containers: [source("source")] });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("source")!.id, 1);
  const pod = await node.until("p", ({ status }) => status?.phase === "Failed");
  assert.equal(statusOf(pod, "source")!.restartCount, 0);
  assert.equal(condition(pod, "AllContainersRestarting")!.reason, "PodFailed");
});

test("an init container's end starts init containers and sidecars anew, and nothing that never ran", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) =>
    metadata.name === "first"
      ? { exitAfterMs: 0 }
      : metadata.name === "source"
        ? { exitAfterMs: 0, exitCode: metadata.attempt === 0 ? 42 : 0 }
        : {};
  node.bind({
    name: "p",
    restartPolicy: "Never",
    initContainers: [
      { name: "sidecar", image: "i", restartPolicy: "Always" },
      { name: "first", image: "i" },
      source("source"),
    ],
    containers: [{ name: "regular", image: "i" }],
  });
  const pod = await node.eventually("it is ready", async () => {
    await node.clock.step(1);
    return isReady(node.pod("p")!) ? node.pod("p") : undefined;
  });
  assert.deepEqual(restartCounts(pod), { sidecar: 1, first: 1, source: 1, regular: 0 });
});

test("a container that had its own restarts keeps its count through a restart of all", async () => {
  await using node = await steppedNode();
  node.bind({
    name: "p",
    containers: [source("source", { restartPolicy: "Always" }), { name: "b", image: "i" }],
  });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("source")!.id, 1);
  await node.until("p", (pod) => isReady(pod) && statusOf(pod, "source")!.restartCount === 1);
  node.runtime.exit(node.runtime.find("source")!.id, 42);
  const pod = await node.until("p", (p) => isReady(p) && statusOf(p, "source")!.restartCount === 2);
  assert.deepEqual(restartCounts(pod), { source: 2, b: 1 });
});

test("a restart of all that the agent's end interrupts is brought to its end by the next", async () => {
  await using node = await steppedNode();
  // What ignores its signal is killed when the least grace period is over: time that stands still until then.
  node.runtime.behaviours = ({ metadata }) =>
    metadata.name === "slow" && metadata.attempt === 0 ? { onStopSignal: "ignore" } : {};
  node.bind({
    name: "p",
    restartPolicy: "Never",
    containers: [source("source"), { name: "slow", image: "i" }, { name: "quick", image: "i" }],
  });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("source")!.id, 42);
  await node.until("p", (pod) => condition(pod, "AllContainersRestarting")?.status === "True");
  await node.restart();
  const pod = await node.eventually("all have restarted", async () => {
    await node.clock.step(500);
    const now = node.pod("p")!;
    return isReady(now) && now.status!.containerStatuses!.every((c) => c.restartCount === 1)
      ? now
      : undefined;
  });
  assert.deepEqual(restartCounts(pod), { source: 1, slow: 1, quick: 1 });
});

test("a pod that is deleted while all of it restarts ends", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", restartPolicy: "Never", containers: [source("source"), { name: "b", image: "i" }] });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("source")!.id, 42);
  await remove(node, "p", 1);
  await node.untilGone("p");
});
