import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SteppedClock } from "../../base/index.ts";
import { startNode, type TestNode } from "../testing/node.ts";

const self = (node: TestNode) => node.api.get("nodes", undefined, "node-1") as corev1.Node;
const statusWrites = (node: TestNode) =>
  node.api.requests.filter(({ resource, subresource }) => resource.resource === "nodes" && subresource)
    .length;
const device = "example.com/device";

/** Somebody who knows of devices writes the node's status. */
function putCapacity(node: TestNode, change: (capacity: Record<string, string>) => void): void {
  const { status, ...rest } = self(node);
  const capacity = { ...status!.capacity };
  change(capacity);
  node.api.put("nodes", { ...rest, status: { ...status, capacity } });
}

test("devices that somebody says the node has are for pods, until they are gone", async () => {
  const clock = new SteppedClock();
  await using node = await startNode({ clock });
  putCapacity(node, (capacity) => {
    capacity[device] = "5";
  });
  await clock.step(10_000);
  await node.eventually(
    "it can be asked for",
    () => self(node).status!.allocatable![device] === "5" || undefined,
  );
  const writes = statusWrites(node);
  for (let i = 0; i < 3; i++) await clock.step(10_000);
  assert.equal(statusWrites(node), writes, "nothing has changed");
  putCapacity(node, (capacity) => {
    delete capacity[device];
  });
  await clock.step(10_000);
  await node.eventually("it is gone", () => !(device in self(node).status!.allocatable!) || undefined);
  assert.equal(self(node).status!.capacity![device], undefined);
});
