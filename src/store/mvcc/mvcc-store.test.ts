import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SteppedClock } from "../../base/index.ts";
import { createMemoryStore } from "../memory/memory-store.ts";
import { CompactedError, type Entry, StaleError, type Store } from "../store.ts";
import { draftOf, recorder } from "../store-fixture.suite.ts";
import { HotCache, HotCell } from "./hot-cache.ts";
import type { Journal } from "./journal.ts";
import { MvccStore } from "./mvcc-store.ts";
import { createHotCaches } from "./stored-entry.ts";

async function churn(store: Store, key: string, times: number, bytes = 10) {
  let revision = (await store.get(key))?.revision ?? 0;
  const revisions = [];
  for (let i = 0; i < times; i++) {
    const entry = await store.put(key, draftOf({ i, x: "y".repeat(bytes) }), { expect: revision });
    revision = entry.revision;
    revisions.push(revision);
  }
  return revisions;
}

describe("history", () => {
  test("is bounded by events", async () => {
    const store = createMemoryStore({ clock: new SteppedClock(), limits: { eventsMax: 10 } });
    const revisions = await churn(store, "/a", 25);
    assert.equal(store.compacted, revisions.at(-11));
    const watcher = recorder();
    store.watch("/", { after: store.compacted }, watcher);
    assert.equal((await watcher.count(10)).length, 10);
    assert.throws(() => store.watch("/", { after: store.compacted - 1 }, recorder()), CompactedError);
    await store.close();
  });

  test("is bounded by the bytes that only it holds", async () => {
    const store = createMemoryStore({ clock: new SteppedClock(), limits: { bytesMax: 10_000 } });
    const revisions = await churn(store, "/a", 50, 1_000);
    const kept = revisions.filter((revision) => revision > store.compacted).length;
    assert.ok(kept >= 8 && kept <= 10, `${kept} events kept`);
    const before = store.compacted;
    for (let i = 0; i < 50; i++) await store.put(`/new/${i}`, draftOf(), { expect: 0 });
    assert.equal(store.compacted, before, "what is current costs nothing more");
    await store.close();
  });

  test("is bounded by age, also while nothing is written", async () => {
    const clock = new SteppedClock();
    const store = createMemoryStore({ clock, limits: { ageMsMax: 60_000 } });
    const [first, second] = await churn(store, "/a", 2);
    await clock.step(50_000);
    const [third] = await churn(store, "/a", 1);
    await clock.step(45_000);
    assert.equal(store.compacted, second);
    assert.ok(first! < store.compacted);
    await clock.step(60_000);
    assert.equal(store.compacted, third);
    assert.equal(clock.pending, 0, "no timer once there is nothing to forget");
    await store.close();
  });

  test("a watch of another prefix catches up past events of others", async () => {
    const store = createMemoryStore({ clock: new SteppedClock() });
    await churn(store, "/a/x", 100);
    const watcher = recorder();
    store.watch("/b/", { after: 1 }, watcher);
    await store.put("/b/y", draftOf(), { expect: 0 });
    assert.equal((await watcher.count(1)).length, 1);
    await store.close();
  });
});

describe("what is not durable yet", () => {
  /** A journal whose commits end when, and as, the test says. */
  function heldJournal() {
    const commits: { resolve(): void; reject(error: Error): void; size: number }[] = [];
    const journal: Journal = {
      commit: (writes) =>
        new Promise((resolve, reject) => commits.push({ resolve, reject, size: writes.length })),
      gather: queueMicrotask,
      close: async () => {},
    };
    const store = new MvccStore({
      clock: new SteppedClock(),
      journal,
      recovered: { entries: [], head: 1 },
      caches: createHotCaches(),
    });
    return { store, commits };
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  test("is seen by nobody, and what arrives meanwhile shares the next commit", async () => {
    const { store, commits } = heldJournal();
    const watcher = recorder();
    store.watch("/", { after: 1 }, watcher);
    const first = store.put("/a", draftOf(), { expect: 0 });
    await settle();
    const others = ["/b", "/c", "/d"].map((key) => store.put(key, draftOf(), { expect: 0 }));
    await settle();
    assert.deepEqual([await store.get("/a"), store.head, watcher.events.length], [undefined, 1, 0]);
    commits[0]!.resolve();
    await first;
    assert.equal(watcher.events.length, 1);
    await settle();
    assert.deepEqual(
      commits.map(({ size }) => size),
      [1, 3],
    );
    commits[1]!.resolve();
    await Promise.all(others);
    assert.equal(store.head, 5);
  });

  test("decides nothing: a second writer is answered when the first write's fate is known", async () => {
    const { store, commits } = heldJournal();
    const first = store.put("/a", draftOf({ by: 1 }), { expect: 0 });
    const second = store.put("/a", draftOf({ by: 2 }), { expect: 0 });
    const third = store.put("/a", draftOf({ by: 3 }), { expect: 0 });
    first.catch(() => {});
    await settle();
    commits[0]!.reject(new Error("the disk said no"));
    await assert.rejects(first, /the disk said no/);
    await settle();
    commits[1]!.resolve();
    const entry = await second;
    assert.equal(entry.object.by, 2, "the first never was");
    await assert.rejects(third, (error) => error instanceof StaleError && error.current === entry);
    assert.deepEqual(await store.get("/a"), entry);
  });

  test("holds up the end of the store, which waits for it", async () => {
    const { store, commits } = heldJournal();
    const write = store.put("/a", draftOf(), { expect: 0 });
    await settle();
    let closed = false;
    const closing = store.close().then(() => {
      closed = true;
    });
    await settle();
    assert.equal(closed, false);
    commits[0]!.resolve();
    await write;
    await closing;
  });
});

describe("the hot cache", () => {
  test("keeps what is used and lets go of what is not", () => {
    const cache = new HotCache({ bytesMax: 1_000 });
    const used = new HotCell<string>();
    cache.fill(used, "used", 100);
    const others = Array.from({ length: 100 }, (_, i) => {
      const cell = new HotCell<string>();
      cache.fill(cell, `other ${i}`, 100);
      assert.equal(used.take(), "used");
      return cell;
    });
    assert.ok(cache.bytes <= 1_000);
    assert.equal(others[0]!.take(), undefined);
    assert.equal(others.at(-1)!.take(), "other 99");
  });

  test("gives up what falls out of history, at once", async () => {
    const clock = new SteppedClock();
    const caches = createHotCaches();
    const journal: Journal = { commit: async () => {}, gather: setImmediate, close: async () => {} };
    const store = new MvccStore({ clock, journal, recovered: { entries: [], head: 1 }, caches });
    const row = Symbol("row");
    const rowOf = (entry: Entry) => entry.form(row, ({ key }) => `row of ${key}`);
    let { revision } = await store.put("/a", draftOf({ x: "y".repeat(1_000) }), { expect: 0 });
    rowOf((await store.get("/a"))!);
    const [parsed, forms] = [caches.parsed.bytes, caches.forms.bytes];
    assert.ok(parsed > 1_000 && forms > 0);
    for (let i = 0; i < 3; i++) {
      const entry = await store.put("/a", draftOf({ x: "y".repeat(1_000) }), { expect: revision });
      rowOf(entry);
      revision = entry.revision;
    }
    assert.deepEqual([caches.parsed.bytes, caches.forms.bytes], [4 * parsed, 4 * forms]);
    await clock.step(6 * 60_000);
    assert.deepEqual([caches.parsed.bytes, caches.forms.bytes], [parsed, forms]);
    await store.delete("/a", draftOf(), { expect: revision });
    await clock.step(6 * 60_000);
    assert.deepEqual([caches.parsed.bytes, caches.forms.bytes], [0, 0]);
    await store.close();
  });

  test("counts what is emptied and filled again once", () => {
    const cache = new HotCache({ bytesMax: 500 });
    const again = new HotCell<string>();
    for (let i = 0; i < 3_000; i++) {
      cache.fill(again, "again", 100);
      cache.empty(again);
      assert.equal(cache.bytes, 0);
    }
    cache.fill(again, "again", 100);
    const others = Array.from({ length: 20 }, () => new HotCell<string>());
    for (const cell of others) cache.fill(cell, "other", 100);
    assert.equal(cache.bytes, 500);
    assert.equal([again, ...others].filter(({ value }) => value !== undefined).length, 5);
  });

  test("an entry whose parsed form was let go parses its bytes again", async () => {
    const store = createMemoryStore({ clock: new SteppedClock() });
    const first = await store.put("/first", draftOf({ x: "y".repeat(1_000_000) }), { expect: 0 });
    const before = first.object;
    for (let i = 0; i < 20; i++) {
      await store.put(`/${i}`, draftOf({ x: "z".repeat(1_000_000) }), { expect: 0 });
    }
    assert.deepEqual(first.object, before);
    assert.notEqual(first.object, before);
    assert.ok(Object.isFrozen(first.object.metadata));
    await store.close();
  });
});

test("a thousand watches of different prefixes cost a write little", async () => {
  const store = createMemoryStore({ clock: new SteppedClock() });
  let received = 0;
  for (let i = 0; i < 2_000; i++) {
    store.watch(
      `/registry/pods/ns-${i}/`,
      { after: 1 },
      { onEvents: (events) => (received += events.length) },
    );
  }
  for (let i = 0; i < 2_000; i++) {
    store.watch(`/registry/pods/one/pod-${i}`, { after: 1 }, { onEvents: () => received++ });
  }
  const startMs = performance.now();
  for (let i = 0; i < 1_000; i++) {
    await store.put(`/registry/pods/ns-${i}/web`, draftOf(), { expect: 0 });
  }
  const perWriteMs = (performance.now() - startMs) / 1_000;
  assert.equal(received, 1_000);
  // Two orders of magnitude above what it takes; asking every watch would be as much above this.
  assert.ok(perWriteMs < 1, `${perWriteMs} ms a write`);
  await store.close();
});
