import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock } from "./clock.ts";
import { giveBackMemory } from "./give-back.ts";

const mebi = 2 ** 20;

test("memory is given back when much of what was held has been freed, and not again until more has", async () => {
  const clock = new SteppedClock();
  const ended = new AbortController();
  let usedBytes = 20 * mebi;
  const trimmedAt: number[] = [];
  const trim = async () => {
    trimmedAt.push(usedBytes / mebi);
  };
  const done = giveBackMemory({ clock, usedBytes: () => usedBytes, trim }, ended.signal);
  for (const used of [20, 80, 70, 60, 60, 55, 70, 50]) {
    usedBytes = used * mebi;
    await clock.step(60_000);
  }
  assert.deepEqual(trimmedAt, [60, 50]);
  ended.abort();
  await done;
  assert.equal(clock.pending, 0);
});
