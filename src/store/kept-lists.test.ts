import assert from "node:assert/strict";
import { test } from "node:test";
import { SteppedClock } from "../base/index.ts";
import { KeptLists } from "./kept-lists.ts";
import { createMemoryStore } from "./memory/memory-store.ts";
import type { Store } from "./store.ts";
import { draftOf } from "./store-fixture.suite.ts";

/** The store, with `range` as it is asked through here. */
const asked = (store: Store, range: Store["range"]) => ({
  get head() {
    return store.head;
  },
  range,
  watch: store.watch.bind(store),
});

test("a list is read once, and again after a change below its prefix that its writer knows of", async () => {
  const store = createMemoryStore({ clock: new SteppedClock() });
  let ranges = 0;
  const source = asked(store, (prefix) => {
    ranges++;
    return store.range(prefix);
  });
  const lists = new KeptLists<{ n: number }>(source, "/limits/");
  const numbers = async (prefix: string) => (await lists.list(prefix)).map(({ n }) => n);
  const first = await store.put("/limits/a/x", draftOf({ n: 1 }), { expect: 0 });
  await store.put("/limits/b/x", draftOf({ n: 2 }), { expect: 0 });
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await numbers("/limits/a/"), [1]);
    assert.deepEqual(await numbers("/limits/b/"), [2]);
    assert.deepEqual(await numbers("/limits/c/"), []);
  }
  assert.equal(ranges, 3);
  await store.put("/other/a", draftOf(), { expect: 0 });
  await numbers("/limits/a/");
  assert.equal(ranges, 3, "what is elsewhere does not matter");
  await store.put("/limits/a/y", draftOf({ n: 3 }), { expect: 0 });
  assert.deepEqual(await numbers("/limits/a/"), [1, 3]);
  await store.delete("/limits/a/x", draftOf(), { expect: first.revision });
  assert.deepEqual(await numbers("/limits/a/"), [3]);
  await store.close();
});

test("a list that changed while it was read is not kept", async () => {
  const store = createMemoryStore({ clock: new SteppedClock() });
  let onRead = async () => {};
  const slow = asked(store, async (prefix) => {
    const range = await store.range(prefix);
    await onRead();
    return range;
  });
  const lists = new KeptLists(slow, "/limits/");
  onRead = async () => {
    onRead = async () => {};
    await store.put("/limits/a", draftOf(), { expect: 0 });
  };
  assert.equal((await lists.list("/limits/")).length, 0);
  assert.equal((await lists.list("/limits/")).length, 1);
  await store.close();
});
