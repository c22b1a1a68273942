import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock } from "../../base/index.ts";
import { createMemoryStore } from "../memory/memory-store.ts";
import type { Store } from "../store.ts";
import { draftOf } from "../store-fixture.suite.ts";

/** A millisecond passes with every look: a turn's time is over soon. */
class BusyClock extends SteppedClock {
  #looks = 0;
  override monotonicMs(): number {
    return ++this.#looks;
  }
}

const watchers = 500;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What each of many watches of everything has been given. */
function watchAll(store: Store): number[][] {
  const given = Array.from({ length: watchers }, (): number[] => []);
  for (const revisions of given) {
    store.watch(
      "/",
      { after: 1 },
      { onEvents: (events) => revisions.push(...events.map(({ entry }) => entry.revision)) },
    );
  }
  return given;
}
const reached = (given: number[][]) => given.filter(({ length }) => length > 0).length;

test("many watches are served over several turns of the event loop, and the writer is answered after the last", async () => {
  const store = createMemoryStore({ clock: new BusyClock() });
  const given = watchAll(store);
  let isAnswered = false;
  const written = Promise.all(["/a", "/b"].map((key) => store.put(key, draftOf(), { expect: 0 }))).then(
    (entries) => {
      isAnswered = true;
      return entries.map(({ revision }) => revision);
    },
  );
  let turns = 0;
  while (!isAnswered) {
    await turn();
    turns++;
    if (!isAnswered) assert.ok((await store.get("/a")) !== undefined, "who asks sees it already");
  }
  assert.ok(turns > 2, `${turns} turns`);
  const revisions = await written;
  for (const got of given) assert.deepEqual(got, revisions);
  await store.close();
});

test("writes that follow while watches are still being served come after, to each of them", async () => {
  const store = createMemoryStore({ clock: new BusyClock() });
  const given = watchAll(store);
  const first = store.put("/a", draftOf(), { expect: 0 });
  await turn();
  assert.ok(reached(given) < watchers);
  const second = store.put("/a", draftOf(), { expect: (await store.get("/a"))!.revision });
  const revisions = (await Promise.all([first, second])).map(({ revision }) => revision);
  for (const got of given) assert.deepEqual(got, revisions);
  await store.close();
});

test("a watch that begins or ends in between misses nothing and gets nothing twice", async () => {
  const store = createMemoryStore({ clock: new BusyClock() });
  const given = watchAll(store);
  let wasToldAfterItsEnd = false;
  const ended = store.watch("/", { after: 1 }, { onEvents: () => (wasToldAfterItsEnd = true) });
  const first = store.put("/a", draftOf(), { expect: 0 });
  await turn();
  assert.ok(reached(given) < watchers);
  ended.close();
  const fromNow: number[] = [];
  const fromBefore: number[] = [];
  for (const [got, after] of [
    [fromNow, store.head],
    [fromBefore, 1],
  ] as const) {
    store.watch(
      "/",
      { after },
      { onEvents: (events) => got.push(...events.map(({ entry }) => entry.revision)) },
    );
  }
  const second = store.put("/b", draftOf(), { expect: 0 });
  const revisions = (await Promise.all([first, second])).map(({ revision }) => revision);
  assert.deepEqual(fromNow, revisions.slice(1));
  assert.deepEqual(fromBefore, revisions);
  assert.equal(wasToldAfterItsEnd, false);
  await store.close();
});

test("a store that is closed in between first gives everyone what is theirs", async () => {
  const store = createMemoryStore({ clock: new BusyClock() });
  const given = watchAll(store);
  const written = store.put("/a", draftOf(), { expect: 0 });
  await turn();
  assert.ok(reached(given) < watchers);
  await store.close();
  const { revision } = await written;
  for (const got of given) assert.deepEqual(got, [revision]);
});
