import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { startNode } from "./testing/node.ts";

const isReady = ({ status }: corev1.Pod) =>
  status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true;

test("a pod bound to this node becomes Running and Ready, with its address", async () => {
  await using node = await startNode();
  node.bind({
    name: "web",
    containers: [
      { name: "nginx", image: "nginx" },
      { name: "box", image: "busybox" },
    ],
  });
  const { status } = await node.until("web", isReady);
  assert.equal(status!.phase, "Running");
  assert.equal(status!.podIP, "10.88.0.2");
  assert.equal(status!.hostIP, "192.0.2.1");
  assert.equal(status!.qosClass, "BestEffort");
  assert.deepEqual(
    status!.containerStatuses!.map(({ name, ready, started, restartCount }) => ({
      name,
      ready,
      started,
      restartCount,
    })),
    [
      { name: "box", ready: true, started: true, restartCount: 0 },
      { name: "nginx", ready: true, started: true, restartCount: 0 },
    ],
  );
  assert.match(status!.containerStatuses![0]!.containerID!, /^peapod:\/\/[0-9a-f]{64}$/);
  assert.deepEqual(
    node.seen.filter(({ fieldPath }) => fieldPath === "spec.containers{nginx}").map(({ reason }) => reason),
    ["Pulling", "Pulled", "Created", "Started"],
  );
});

test("a deleted pod is stopped, its object goes, and nothing of it is left on the node but its logs", async () => {
  await using node = await startNode();
  node.bind({ name: "web", containers: [{ name: "nginx", image: "nginx" }] });
  await node.until("web", ({ status }) => status?.phase === "Running");
  await node.api.request({
    verb: "delete",
    resource: node.pods,
    namespace: "default",
    name: "web",
    options: { gracePeriodSeconds: 5 },
  });
  await node.untilGone("web");
  await node.eventually("the sandbox is gone", async () =>
    (await node.runtime.listPodSandboxes()).length === 0 ? true : undefined,
  );
  assert.deepEqual(await node.runtime.listContainers(), []);
  await node.eventually("the folders are gone", async () => {
    const left = await Promise.all(["pods", "memory"].map((name) => readdir(join(node.dir, name))));
    return left.flat().length === 0 ? true : undefined;
  });
});
