import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock } from "./clock.ts";
import { Turn } from "./turn.ts";

/** A millisecond passes with every look. */
class BusyClock extends SteppedClock {
  #looks = 0;
  override monotonicMs(): number {
    return ++this.#looks;
  }
}

test("a turn is over when its time is, and work that takes no time is never interrupted", () => {
  const busy = new Turn(new BusyClock());
  let steps = 0;
  while (!busy.isOver) steps++;
  assert.ok(steps > 0 && steps < 100, `${steps} steps`);
  const idle = new Turn(new SteppedClock());
  for (let i = 0; i < 1_000; i++) assert.equal(idle.isOver, false);
});

test("pieces of long work go on one a turn of the event loop, in order of arrival", async () => {
  const log: string[] = [];
  const work = async (name: string) => {
    const turn = new Turn(new BusyClock());
    for (let i = 0; i < 3; i++) {
      await turn.yield();
      log.push(name);
    }
  };
  let isDone = false;
  const all = Promise.all(["a", "b", "c"].map(work)).then(() => {
    isDone = true;
  });
  while (!isDone) {
    const before = log.length;
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(log.length <= before + 1, log.join());
  }
  await all;
  assert.deepEqual(log.slice(0, 6), ["a", "b", "c", "a", "b", "c"]);
  assert.equal(log.length, 9);
});
