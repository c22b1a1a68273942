import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock, silentLog } from "../base/index.ts";
import { createWorkqueue } from "./queue.ts";
import { runWorkers } from "./run-workers.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

test("a key that is added often is worked on once", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  for (const key of ["a", "a", "b", "a"]) queue.add(key);
  assert.equal(queue.length, 2);
  assert.equal(await queue.take(never), "a");
  assert.equal(await queue.take(never), "b");
});

test("a key that is added while it is worked on comes again afterwards, and never to two workers", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  queue.add("a");
  assert.equal(await queue.take(never), "a");
  queue.add("a");
  queue.add("a");
  assert.equal(queue.length, 0);
  queue.done("a");
  assert.equal(queue.length, 1);
  assert.equal(await queue.take(never), "a");
  queue.done("a");
  assert.equal(queue.length, 0);
});

test("keys are taken in the order in which they came, also by workers that wait", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  const first = queue.take(never);
  const second = queue.take(never);
  for (const key of ["a", "b", "c"]) queue.add(key);
  assert.deepEqual([await first, await second, await queue.take(never)], ["a", "b", "c"]);
});

test("many keys go through in order", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  for (let i = 0; i < 5_000; i++) queue.add(`key-${i}`);
  for (let i = 0; i < 5_000; i++) assert.equal(await queue.take(never), `key-${i}`);
});

test("a delayed key is in the queue when it is due, and the shortest delay counts", async () => {
  const clock = new SteppedClock();
  const queue = createWorkqueue({ clock });
  queue.addAfter("a", 1_000);
  queue.addAfter("a", 500);
  queue.addAfter("a", 2_000);
  await clock.step(499);
  assert.equal(queue.length, 0);
  await clock.step(1);
  assert.equal(queue.length, 1);
  await clock.step(5_000);
  assert.equal(queue.length, 1);
});

test("a worker that waits is let go by its signal", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  const stop = new AbortController();
  const taken = queue.take(stop.signal);
  stop.abort();
  assert.equal(await taken, undefined);
  queue.add("a");
  assert.equal(await queue.take(never), "a");
});

test("a failing key comes again after 5 ms, then twice as long each time, up to 1000 s", async () => {
  const clock = new SteppedClock();
  const queue = createWorkqueue({ clock });
  const startMs = clock.monotonicMs();
  const attemptsMs: number[] = [];
  const stop = new AbortController();
  const done = runWorkers({
    queue,
    workers: 1,
    reconcile: async () => {
      attemptsMs.push(clock.monotonicMs() - startMs);
      if (attemptsMs.length < 22) throw new Error("not yet");
    },
    signal: stop.signal,
    log: silentLog,
  });
  queue.add("a");
  await clock.step(10_000_000);
  const gaps = attemptsMs.slice(1).map((atMs, i) => atMs - attemptsMs[i]!);
  assert.deepEqual(gaps.slice(0, 5), [5, 10, 20, 40, 80]);
  assert.deepEqual(gaps.slice(-3), [1_000_000, 1_000_000, 1_000_000]);
  assert.equal(queue.failures("a"), 0, "a success ends the run of failures");
  stop.abort();
  await done;
});

test("a reconciler that asks for it is called again later", async () => {
  const clock = new SteppedClock();
  const queue = createWorkqueue({ clock });
  const stop = new AbortController();
  let calls = 0;
  const reconcile = async () => (++calls < 3 ? { afterMs: 60_000 } : undefined);
  const done = runWorkers({ queue, workers: 2, reconcile, signal: stop.signal, log: silentLog });
  queue.add("a");
  await clock.step(59_000);
  assert.equal(calls, 1);
  await clock.step(120_000);
  assert.equal(calls, 3);
  stop.abort();
  await done;
});

test("workers run side by side, but never on the same key", async () => {
  const queue = createWorkqueue({ clock: new SteppedClock() });
  const stop = new AbortController();
  const running = new Set<string>();
  const release: (() => void)[] = [];
  let mostAtOnce = 0;
  const done = runWorkers({
    queue,
    workers: 3,
    reconcile: async (key) => {
      assert.ok(!running.has(key));
      running.add(key);
      mostAtOnce = Math.max(mostAtOnce, running.size);
      await new Promise<void>((resolve) => release.push(resolve));
      running.delete(key);
    },
    signal: stop.signal,
    log: silentLog,
  });
  for (const key of ["a", "b", "c", "d"]) queue.add(key);
  await settle();
  queue.add("a");
  assert.equal(mostAtOnce, 3);
  for (let i = 0; i < 5; i++) {
    release.shift()!();
    await settle();
  }
  assert.equal(queue.length, 0);
  assert.equal(running.size, 0);
  stop.abort();
  await done;
});
