import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock } from "../base/index.ts";
import { SchedulingQueue } from "./queue.ts";

function start() {
  const clock = new SteppedClock();
  const queue = new SchedulingQueue({ clock, onReady: () => {} });
  const fail = (key: string, wakesOn: "node" | "pod-gone" = "node") =>
    queue.park(key, 0, { wakesOn: new Set([wakesOn]), backoff: "growing" });
  return { clock, queue, fail };
}

test("the highest priority comes first, then whoever came first", () => {
  const { queue } = start();
  queue.add("a", 0);
  queue.add("b", 5);
  queue.add("c", 5);
  queue.add("b", 5);
  assert.deepEqual([queue.pop(), queue.pop(), queue.pop(), queue.pop()], ["b", "c", "a", undefined]);
});

test("a pod that failed comes back after a change that it waits for, and no other", async () => {
  const { clock, queue, fail } = start();
  fail("p", "pod-gone");
  await clock.step(2_000);
  queue.wake("node");
  assert.equal(queue.pop(), undefined);
  queue.wake("pod-gone");
  assert.equal(queue.pop(), "p");
});

test("its back-off doubles from one second to ten", async () => {
  const { clock, queue, fail } = start();
  for (const seconds of [1, 2, 4, 8, 10, 10]) {
    fail("p");
    queue.wake("node");
    await clock.step(seconds * 1_000 - 1);
    assert.equal(queue.pop(), undefined, `before ${seconds} s`);
    await clock.step(1);
    assert.equal(queue.pop(), "p", `after ${seconds} s`);
  }
});

test("the back-off starts anew for a pod that was placed in between", async () => {
  const { clock, queue, fail } = start();
  fail("p");
  fail("p");
  queue.remove("p");
  fail("p");
  queue.wake("node");
  await clock.step(1_000);
  assert.equal(queue.pop(), "p");
});

test("where few wait and nobody else does, a change helps before the back-off is over; the most important first", () => {
  const { queue } = start();
  const refuse = (key: string, priority: number) =>
    queue.park(key, priority, { wakesOn: new Set(["node"]), backoff: "when busy" });
  refuse("low", 0);
  refuse("high", 5);
  queue.wake("pod-gone");
  assert.equal(queue.pop(), undefined);
  queue.wake("node");
  queue.add("new", 0);
  assert.deepEqual([queue.pop(), queue.pop(), queue.pop(), queue.pop()], ["new", "high", "low", undefined]);
  refuse("low", 0);
  assert.equal(queue.pop(), undefined, "once a change");
  for (let i = 0; i < 64; i++) refuse(`many-${i}`, 0);
  queue.wake("node");
  assert.equal(queue.pop(), undefined, "many wait for their back-off");
});

test("room that was made for a pod is taken at once", () => {
  const { queue } = start();
  queue.park("p", 0, { wakesOn: new Set(["pod-gone"]), backoff: "none" });
  assert.equal(queue.pop(), undefined);
  queue.wake("pod-gone");
  assert.equal(queue.pop(), "p");
});

test("a pod that no change helps is tried every five minutes", async () => {
  const { clock, queue, fail } = start();
  fail("p");
  await clock.step(299_999);
  assert.equal(queue.pop(), undefined);
  await clock.step(1);
  assert.equal(queue.pop(), "p");
});
