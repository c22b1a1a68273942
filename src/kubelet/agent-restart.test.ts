import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

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
