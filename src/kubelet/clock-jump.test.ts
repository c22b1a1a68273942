import assert from "node:assert/strict";
import { test } from "node:test";
import type { coordinationv1 } from "../api/index.ts";
import { RuntimeError } from "../runtime/index.ts";
import { isReady, statusOf, steppedNode, waitingReason } from "./testing/stepped-node.ts";

const hourMs = 3_600_000;
const one = [{ name: "c", image: "i" }];

test("a crashing container's back-off is not an hour longer for a clock that was set back by an hour", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: one });
  await node.until("p", isReady);
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));
  node.runtime.exit(node.runtime.find("c")!.id, 1);
  await node.until("p", (pod) => waitingReason(pod, "c") === "CrashLoopBackOff");
  node.clock.jump(-hourMs);
  await node.clock.step(10_500);
  await node.until("p", (pod) => statusOf(pod, "c")?.restartCount === 2 && isReady(pod));
  // It was made in the past of before, and is as alive as any other.
  node.clock.jump(2 * hourMs);
  await node.clock.step(1_000);
  assert.ok(isReady(node.pod("p")!));
});

test("what failed is tried again in its time, however the clock is set meanwhile", async () => {
  await using node = await steppedNode();
  node.runtime.sandboxError = new RuntimeError("SandboxError", "no network yet");
  node.bind({ name: "no-sandbox", containers: one });
  await node.eventually("it has failed", () =>
    node.seen.some(({ reason }) => reason === "FailedCreatePodSandBox") ? true : undefined,
  );
  node.clock.jump(-hourMs);
  node.runtime.sandboxError = undefined;
  await node.clock.step(1_500);
  await node.until("no-sandbox", isReady);

  node.runtime.images.failPull("away", new RuntimeError("ErrImagePull", "the registry is away"));
  node.bind({ name: "no-image", containers: [{ name: "d", image: "away" }] });
  await node.until("no-image", (pod) => waitingReason(pod, "d") === "ErrImagePull");
  node.clock.jump(-hourMs);
  node.runtime.images.failPull("away", undefined);
  await node.clock.step(10_500);
  await node.eventually("it is pulled", async () => {
    await node.clock.step(500);
    return isReady(node.pod("no-image")!) ? true : undefined;
  });
});

test("the node's lease is renewed by time that passes, not by what the clock says", async () => {
  await using node = await steppedNode();
  const renewals = () =>
    node.api.requests.filter(({ resource, verb }) => resource.resource === "leases" && verb !== "get").length;
  await node.eventually("the lease is there", () => (renewals() > 0 ? true : undefined));
  for (const jumpMs of [-hourMs, 2 * hourMs]) {
    const before = renewals();
    node.clock.jump(jumpMs);
    await node.clock.step(10_500);
    await node.eventually("it is renewed", () => (renewals() > before ? true : undefined));
    assert.ok(renewals() - before <= 2);
  }
  const lease = node.api.get("leases", "kube-node-lease", "node-1") as coordinationv1.Lease;
  assert.equal(Date.parse(String(lease.spec!.renewTime)) > 0, true);
});
