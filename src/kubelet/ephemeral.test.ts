import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { isReady, steppedNode } from "./testing/stepped-node.ts";

type Node = Awaited<ReturnType<typeof steppedNode>>;

/** As a write to `/ephemeralcontainers` leaves it. */
function debug(
  node: Node,
  pod: string,
  container: Partial<corev1.EphemeralContainer> & { name: string },
): void {
  const object = structuredClone(node.pod(pod)!);
  object.spec!.ephemeralContainers = [
    ...(object.spec!.ephemeralContainers ?? []),
    { image: "i", ...container },
  ];
  node.api.put("pods", object);
}

const statusOf = (pod: corev1.Pod, name: string) =>
  pod.status?.ephemeralContainerStatuses?.find((status) => status.name === name);

test("an ephemeral container joins a running pod, ends once and for all, and the pod stays as it was", async () => {
  await using node = await steppedNode();
  node.bind({ name: "p", containers: [{ name: "c", image: "i" }] });
  await node.until("p", isReady);
  debug(node, "p", { name: "e", targetContainerName: "c" });
  const running = await node.until("p", (pod) => statusOf(pod, "e")?.state?.running !== undefined);
  assert.equal(statusOf(running, "e")!.ready, false);
  assert.ok(isReady(running));

  node.runtime.exit(node.runtime.find("e")!.id, 3);
  const ended = await node.until("p", (pod) => statusOf(pod, "e")?.state?.terminated !== undefined);
  assert.equal(statusOf(ended, "e")!.state!.terminated!.exitCode, 3);
  await node.clock.step(600_000);
  const later = node.pod("p")!;
  assert.equal(statusOf(later, "e")!.state!.terminated!.exitCode, 3);
  assert.equal(statusOf(later, "e")!.restartCount, 0);
  assert.equal(later.status!.phase, "Running");
  assert.ok(isReady(later));

  debug(node, "p", { name: "another" });
  const both = await node.until("p", (pod) => statusOf(pod, "another")?.state?.running !== undefined);
  assert.deepEqual(
    both.status!.ephemeralContainerStatuses!.map(({ name }) => name),
    ["another", "e"],
  );
});

test("an ephemeral container waits for its target, says so, and starts right after it", async () => {
  await using node = await steppedNode();
  node.runtime.behaviours = ({ metadata }) => (metadata.name === "first" ? { exitAfterMs: 5_000 } : {});
  node.bind({
    name: "p",
    initContainers: [{ name: "first", image: "i" }],
    containers: [{ name: "c", image: "i" }],
  });
  await node.until("p", (pod) => pod.status?.initContainerStatuses?.[0]?.state?.running !== undefined);
  debug(node, "p", { name: "e", targetContainerName: "c" });
  const waiting = await node.until(
    "p",
    (pod) => statusOf(pod, "e")?.state?.waiting?.reason === "CreateContainerConfigError",
  );
  assert.equal(statusOf(waiting, "e")!.state!.waiting!.message, "unable to find target container c");
  await node.clock.step(5_500);
  await node.until("p", (pod) => statusOf(pod, "e")?.state?.running !== undefined);
});
