import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, remove, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

test("another agent on the same engine finds the pods as they are: nothing restarts, nothing flickers", async () => {
  await using node = await steppedNode();
  const readinessProbe = { exec: { command: ["ready"] }, periodSeconds: 5 };
  node.bind({ name: "p", containers: [{ name: "c", image: "i", readinessProbe }] });
  await node.eventually("the pod is ready", async () => {
    await node.clock.step(10);
    return isReady(node.pod("p")!) ? true : undefined;
  });
  const before = node.pod("p")!;
  const { id } = node.runtime.find("c")!;
  const requests = node.api.requests.length;
  await node.clock.step(20_000);
  await node.restart();
  await node.clock.step(20_000);
  assert.equal(node.runtime.find("c")!.id, id);
  assert.deepEqual(node.pod("p")!.status, before.status);
  const writes = node.api.requests
    .slice(requests)
    .filter(({ resource, verb }) => resource.resource === "pods" && verb === "patch");
  assert.deepEqual(writes, []);
});

test("what ended while no agent was there has its true exit code, and what was deleted is cleaned up", async () => {
  await using node = await steppedNode();
  node.bind({ name: "job", restartPolicy: "Never", containers: [{ name: "j", image: "i" }] });
  node.bind({ name: "web", containers: [{ name: "w", image: "i" }] });
  await node.until("job", isReady);
  await node.until("web", isReady);
  await node.stop();
  node.runtime.exit(node.runtime.find("j")!.id, 42);
  node.api.remove("pods", "default", "web");
  await node.start();
  const job = await node.until("job", ({ status }) => status?.phase === "Failed");
  assert.equal(statusOf(job, "j")!.state!.terminated!.exitCode, 42);
  await node.eventually("nothing of the deleted pod is left", async () => {
    await node.clock.step(100);
    return (await node.runtime.listPodSandboxes()).every(({ metadata }) => metadata.name === "job")
      ? true
      : undefined;
  });
});

test("a crash loop goes on under another agent where it was", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => waitingReason(pod, "c") === "CrashLoopBackOff");
  await node.clock.step(4_000);
  await node.restart();
  await node.clock.step(4_000);
  assert.equal(waitingReason(node.pod("p")!, "c"), "CrashLoopBackOff");
  await node.clock.step(2_500);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 2 && isReady(pod));
});

test("a pod that was bound and deleted while no agent was there, and would be refused, goes", async () => {
  await using node = await steppedNode();
  await node.stop();
  const containers = [{ name: "c", image: "i" }];
  for (const [name, more] of [
    ["refused", { nodeSelector: { "no-node": "has this" } }],
    ["admitted", {}],
  ] as const) {
    node.bind({ name, containers, ...more });
    await remove(node, name, 30);
    assert.ok(node.pod(name)!.metadata.deletionTimestamp);
  }
  await node.start();
  await node.untilGone("refused");
  await node.untilGone("admitted");
  assert.deepEqual(await node.runtime.listContainers(), []);
});

test("a pod that ended in its deletion is removed by another agent", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", restartPolicy: "Never", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  const pod = node.pod("p")!;
  node.api.failure = ({ verb }) => (verb === "delete" ? new Error("the server is away") : undefined);
  node.api.put("pods", {
    ...pod,
    metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:30Z", deletionGracePeriodSeconds: 30 },
  });
  await node.eventually("it has ended", async () => {
    await node.clock.step(50);
    return node.pod("p")!.status!.phase === "Failed" ? true : undefined;
  });
  await node.stop();
  node.api.failure = undefined;
  await node.start();
  await node.untilGone("p");
});
