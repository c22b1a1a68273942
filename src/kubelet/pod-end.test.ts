import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import { Diary, type Script } from "./testing/diary.ts";
import { isReady, remove, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

/* The outcomes of upstream's test/e2e_node/container_lifecycle_test.go, on a simulated engine and a clock that is stepped. */

const container = (name: string, more: Partial<corev1.Container> = {}): corev1.Container => ({
  ...{ name, image: "i" },
  ...more,
});
const sidecar = (name: string, more: Partial<corev1.Container> = {}) =>
  container(name, { restartPolicy: "Always", ...more });
const hook = (command: string): corev1.LifecycleHandler => ({ exec: { command: [command] } });
const probe = (command: string, more: Partial<corev1.Probe> = {}): corev1.Probe => ({
  ...{ exec: { command: [command] }, periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 60 },
  ...more,
});
const after = (seconds: number, exitCode = 0): Script => ({ exitAfterMs: seconds * 1_000, exitCode });
const hasEnded = ({ status }: corev1.Pod) => status?.phase === "Succeeded" || status?.phase === "Failed";
const policies = ["Never", "OnFailure", "Always"] as const;

test("a deleted pod's sidecars end in reverse order, after its main containers", async () => {
  await using node = await steppedNode();
  const stops = { stopAfterMs: 2_000 };
  const diary = new Diary(node, { side1: stops, side2: stops, side3: stops, main: stops });
  node.bind({
    name: "p",
    initContainers: [sidecar("side1"), sidecar("side2"), sidecar("side3")],
    containers: [container("main")],
  });
  await diary.until("it is ready", isReady);
  diary.lines.length = 0;
  await remove(node, "p");
  await diary.untilGone();
  assert.deepEqual(diary.lines, ["exit main", "exit side3", "exit side2", "exit side1"]);
});

test("sidecars' preStop hooks run at once, and hooks that never end leave nobody running past the grace period", async () => {
  await using node = await steppedNode();
  const hangs = { afterMs: 1_000_000 };
  const diary = new Diary(node, {}, { bye1: hangs, bye2: hangs });
  node.bind({
    name: "p",
    initContainers: [
      sidecar("side1", { lifecycle: { preStop: hook("bye1") } }),
      sidecar("side2", { lifecycle: { preStop: hook("bye2") } }),
    ],
    containers: [container("main")],
  });
  await diary.until("it is ready", isReady);
  diary.lines.length = 0;
  const beganMs = node.clock.now();
  await remove(node, "p", 10);
  await diary.untilGone();
  assert.deepEqual(diary.lines.filter((line) => line.startsWith("begin")).sort(), [
    "begin bye1",
    "begin bye2",
  ]);
  // Far less than the hooks would take: time goes on by itself while the disk is waited for.
  assert.ok(node.clock.now() - beganMs < 500_000);
});

test("a pod deleted while it initializes ends, its sidecar that has not started included", async () => {
  await using node = await steppedNode();
  const diary = new Diary(node, { init: { stopAfterMs: 1_000 } });
  node.bind({
    name: "p",
    initContainers: [
      sidecar("side1", { startupProbe: probe("never", { initialDelaySeconds: 1_000 }) }),
      container("init"),
      sidecar("side2"),
    ],
    containers: [container("main")],
  });
  await diary.until("the sidecar runs", (pod) => statusOf(pod, "side1")?.state?.running !== undefined);
  await remove(node, "p", 30);
  await diary.untilGone();
  assert.deepEqual(diary.lines, ["start side1", "exit side1"]);
});

for (const [what, scripts, phase] of [
  ["sidecars that end badly", { main: after(3), side: { stopAfterMs: 500 } }, "Succeeded"],
  ["sidecars that are killed", { main: after(3), side: { onStopSignal: "ignore" } }, "Succeeded"],
  ["a main container that ends badly", { main: after(3, 1), side: {} }, "Failed"],
] as const) {
  test(`a pod with ${what} has ${phase}`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node, scripts);
    node.bind({
      name: "p",
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 5,
      initContainers: [sidecar("side")],
      containers: [container("main")],
    });
    const pod = await diary.until("it has ended", hasEnded);
    assert.equal(pod.status!.phase, phase);
  });
}

for (const restartPolicy of policies) {
  test(`with restartPolicy ${restartPolicy}, a pod deleted before it ran has Failed, whoever holds on to its object`, async () => {
    await using node = await steppedNode();
    const diary = new Diary(node);
    const shown: string[] = [];
    node.runtime.images.failPull("bad", new RuntimeError("ErrImagePull", "no such image"));
    node.bind({ name: "p", restartPolicy, containers: [container("main", { image: "bad" })] });
    await diary.until("it waits", (pod) => waitingReason(pod, "main") === "ErrImagePull");
    node.api.failure = ({ verb, resource, name }) => {
      if (verb === "delete" && resource.resource === "pods") shown.push(node.pod(name!)!.status!.phase!);
      return undefined;
    };
    await remove(node, "p");
    await diary.untilGone();
    assert.equal(shown.at(-1), "Failed", "its last status is written before its object goes");
  });
}
