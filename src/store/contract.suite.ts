import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { SteppedClock } from "../base/index.ts";
import {
  CompactedError,
  type Draft,
  FutureRevisionError,
  keyBytesMax,
  StaleError,
  type Store,
  TooLargeError,
  valueBytesMax,
} from "./store.ts";
import { draftOf, keysOf, recorder } from "./store-fixture.suite.ts";
import { watchContract } from "./watch-contract.suite.ts";

/** How the suite gets an empty store of an engine, and rid of it. */
export interface Engine {
  name: string;
  open(clock: SteppedClock): Promise<{ store: Store; dispose(): Promise<void> }>;
  /** Expires what is due, for an engine that keeps its own time (etcd); default: the stepped clock alone. */
  pass?(clock: SteppedClock, ms: number): Promise<void>;
}

/** The contract of `Store`, as tests; run on every engine. Watches: `watch-contract.suite.ts`. */
export function storeContract(engine: Engine): void {
  describe(`the store contract on ${engine.name}`, () => {
    let clock: SteppedClock;
    let store: Store;
    let dispose: () => Promise<void> = async () => {};

    beforeEach(async () => {
      await dispose();
      clock = new SteppedClock();
      ({ store, dispose } = await engine.open(clock));
    });
    after(() => dispose());

    const create = (key: string, fields?: Record<string, unknown>) =>
      store.put(key, draftOf(fields), { expect: 0 });
    const pass = (ms: number) => (engine.pass ? engine.pass(clock, ms) : clock.step(ms));

    describe("writes", () => {
      test("a created key is read back with its revision inside", async () => {
        const entry = await create("/pods/default/a", { spec: { nodeName: "n" } });
        const read = await store.get("/pods/default/a");
        assert.equal(read!.revision, entry.revision);
        assert.equal(read!.key, "/pods/default/a");
        assert.equal(store.head, entry.revision);
        assert.equal(JSON.parse(read!.bytes.toString()).metadata.resourceVersion, String(entry.revision));
        assert.deepEqual(read!.object, {
          metadata: { resourceVersion: String(entry.revision) },
          spec: { nodeName: "n" },
        });
      });

      test("an empty store is at revision 1 or later, and every write grows it", async () => {
        assert.ok(store.head >= 1);
        const a = await create("/a");
        const b = await create("/b");
        const a2 = await store.put("/a", draftOf(), { expect: a.revision });
        assert.ok(a.revision > 1 && b.revision > a.revision && a2.revision > b.revision);
      });

      test("a create of an existing key is stale and names the current entry", async () => {
        const entry = await create("/a", { n: 1 });
        await assert.rejects(create("/a"), (error) => {
          assert.ok(error instanceof StaleError);
          assert.equal(error.current?.revision, entry.revision);
          return true;
        });
      });

      test("an update with an old revision is stale and changes nothing", async () => {
        const first = await create("/a", { n: 1 });
        const second = await store.put("/a", draftOf({ n: 2 }), { expect: first.revision });
        await assert.rejects(store.put("/a", draftOf({ n: 3 }), { expect: first.revision }), StaleError);
        assert.equal((await store.get("/a"))!.revision, second.revision);
        assert.equal((await store.get("/a"))!.object.n, 2);
      });

      test("an update or a delete of an absent key is stale", async () => {
        await assert.rejects(store.put("/a", draftOf(), { expect: 7 }), StaleError);
        await assert.rejects(store.delete("/a", draftOf(), { expect: 7 }), StaleError);
        await assert.rejects(store.delete("/a", draftOf(), { expect: 0 }), StaleError);
      });

      test("a delete leaves a tombstone with its own revision, and the key can be made again", async () => {
        const entry = await create("/a", { n: 1 });
        const tombstone = await store.delete("/a", draftOf({ n: 1 }), { expect: entry.revision });
        assert.ok(tombstone.revision > entry.revision);
        assert.equal(tombstone.object.n, 1);
        assert.equal(await store.get("/a"), undefined);
        assert.equal(store.head, tombstone.revision);
        assert.ok((await create("/a")).revision > tombstone.revision);
      });

      test("of many writers with the same expectation exactly one wins, and the others see its entry", async () => {
        const entry = await create("/a");
        const results = await Promise.allSettled(
          Array.from({ length: 40 }, (_, n) => store.put("/a", draftOf({ n }), { expect: entry.revision })),
        );
        const won = results.filter((result) => result.status === "fulfilled");
        assert.equal(won.length, 1);
        for (const result of results) {
          if (result.status === "fulfilled") continue;
          assert.ok(result.reason instanceof StaleError);
          assert.equal(result.reason.current?.revision, won[0]!.value.revision);
        }
      });

      test("concurrent increments by compare-and-set lose none", async () => {
        await create("/counter", { n: 0 });
        const increment = async (): Promise<void> => {
          for (;;) {
            const current = (await store.get("/counter"))!;
            try {
              await store.put("/counter", draftOf({ n: current.object.n + 1 }), { expect: current.revision });
              return;
            } catch (error) {
              if (!(error instanceof StaleError)) throw error;
            }
          }
        };
        await Promise.all(Array.from({ length: 20 }, increment));
        assert.equal((await store.get("/counter"))!.object.n, 20);
      });

      test("a create that waits for a deletion of the same key succeeds", async () => {
        const entry = await create("/a");
        const [tombstone, again] = await Promise.all([
          store.delete("/a", draftOf(), { expect: entry.revision }),
          create("/a", { n: 2 }),
        ]);
        assert.ok(again.revision > tombstone.revision);
        assert.equal((await store.get("/a"))!.revision, again.revision);
      });

      test("what a draft throws reaches the writer, and nothing is written", async () => {
        const head = store.head;
        const fail: Draft = () => {
          throw new Error("no");
        };
        await assert.rejects(store.put("/a", fail, { expect: 0 }), /no/);
        assert.equal(await store.get("/a"), undefined);
        assert.equal(store.head, head);
      });

      test("keys and values past their limits are refused", async () => {
        const large = "x".repeat(valueBytesMax);
        await assert.rejects(create("/a", { large }), TooLargeError);
        await assert.rejects(create(`/${"k".repeat(keyBytesMax)}`), TooLargeError);
        await create(`/${"k".repeat(keyBytesMax - 1)}`);
        const fits = "x".repeat(valueBytesMax - 100);
        await create("/b", { fits });
        assert.equal((await store.get("/b"))!.object.fits, fits);
      });

      test("objects are frozen, also those that were handed in with the draft", async () => {
        const entry = await create("/a", { spec: { list: [{ x: 1 }] } });
        for (const read of [entry, (await store.get("/a"))!]) {
          assert.throws(() => {
            read.object.spec.list[0].x = 2;
          }, TypeError);
        }
      });

      test("a form is made once while it is hot", async () => {
        const entry = await create("/a");
        const row = Symbol("row");
        let made = 0;
        const make = () => ({ made: ++made });
        assert.equal(entry.form(row, make), entry.form(row, make));
        assert.equal(made, 1);
      });
    });

    describe("ranges", () => {
      test("hold the keys of a prefix in the order of their bytes", async () => {
        const keys = [
          "/p/b",
          "/p/a",
          "/p/a/x",
          "/p/a-b",
          "/p/é",
          "/p/\u{1f600}",
          "/p/\uff5e",
          "/q/a",
          "/o/z",
        ];
        for (const key of keys) await create(key);
        const range = await store.range("/p/");
        assert.deepEqual(keysOf(range.entries), [
          "/p/a",
          "/p/a-b",
          "/p/a/x",
          "/p/b",
          "/p/é",
          "/p/\uff5e",
          "/p/\u{1f600}",
        ]);
        assert.equal(range.revision, store.head);
        assert.equal(range.remaining, 0);
        assert.equal(await store.count("/p/"), 7);
        assert.equal(await store.count("/none/"), 0);
        assert.equal((await store.range("/none/")).entries.length, 0);
      });

      test("come in pages that say how much is left", async () => {
        for (let i = 0; i < 10; i++) await create(`/p/${i}`);
        const first = await store.range("/p/", { limit: 4 });
        assert.deepEqual([keysOf(first.entries).at(-1), first.remaining], ["/p/3", 6]);
        const second = await store.range("/p/", { limit: 4, after: "/p/3", at: first.revision });
        assert.deepEqual([keysOf(second.entries), second.remaining], [["/p/4", "/p/5", "/p/6", "/p/7"], 2]);
        const last = await store.range("/p/", { limit: 4, after: "/p/7", at: first.revision });
        assert.deepEqual([keysOf(last.entries), last.remaining], [["/p/8", "/p/9"], 0]);
      });

      test("at an old revision show what was there then, also page by page", async () => {
        const entries = [];
        for (let i = 0; i < 6; i++) entries.push(await create(`/p/${i}`, { n: i }));
        const then = store.head;
        await store.put("/p/1", draftOf({ n: 100 }), { expect: entries[1]!.revision });
        await store.delete("/p/2", draftOf(), { expect: entries[2]!.revision });
        await store.delete("/p/5", draftOf(), { expect: entries[5]!.revision });
        await create("/p/15");
        await create("/p/9");
        await create("/p/2", { n: 200 });

        const whole = await store.range("/p/", { at: then });
        assert.deepEqual(
          whole.entries.map((entry) => [entry.key, entry.object.n]),
          [0, 1, 2, 3, 4, 5].map((n) => [`/p/${n}`, n]),
        );
        assert.equal(whole.revision, then);
        const page = await store.range("/p/", { at: then, after: "/p/1", limit: 2 });
        assert.deepEqual([keysOf(page.entries), page.remaining], [["/p/2", "/p/3"], 2]);
        assert.deepEqual(keysOf((await store.range("/p/")).entries), [
          "/p/0",
          "/p/1",
          "/p/15",
          "/p/2",
          "/p/3",
          "/p/4",
          "/p/9",
        ]);
      });

      test("at a revision to come are refused", async () => {
        await assert.rejects(store.range("/p/", { at: store.head + 100 }), FutureRevisionError);
      });

      test("before the compaction are refused, after it served", async () => {
        const a = await create("/p/a");
        const b = await store.put("/p/a", draftOf({ n: 2 }), { expect: a.revision });
        await store.put("/p/a", draftOf({ n: 3 }), { expect: b.revision });
        await store.compact(b.revision);
        assert.equal(store.compacted, b.revision);
        await assert.rejects(store.range("/p/", { at: a.revision }), CompactedError);
        assert.equal((await store.range("/p/", { at: b.revision })).entries[0]!.object.n, 2);
        assert.equal((await store.range("/p/")).entries[0]!.object.n, 3);
      });
    });

    watchContract({ store: () => store, create });

    describe("keys with a time to live", () => {
      test("are deleted when it is over, and watchers see it", async () => {
        const watcher = recorder();
        store.watch("/events/", { after: store.head }, watcher);
        await store.put("/events/a", draftOf({ n: 1 }), { expect: 0, ttlS: 60 });
        await store.put("/events/b", draftOf(), { expect: 0, ttlS: 600 });
        await pass(59_000);
        assert.ok(await store.get("/events/a"));
        await pass(2_000);
        const events = await watcher.count(3);
        assert.equal(events[2]!.type, "delete");
        assert.equal(events[2]!.entry.key, "/events/a");
        assert.equal(events[2]!.entry.object.n, 1);
        assert.equal(events[2]!.entry.object.metadata.resourceVersion, String(events[2]!.entry.revision));
        assert.equal(await store.get("/events/a"), undefined);
        assert.ok(await store.get("/events/b"));
      });

      test("live on when they are written again", async () => {
        const a = await store.put("/events/a", draftOf(), { expect: 0, ttlS: 60 });
        const b = await store.put("/events/b", draftOf(), { expect: 0, ttlS: 60 });
        await pass(50_000);
        await store.put("/events/a", draftOf(), { expect: a.revision, ttlS: 60 });
        await store.put("/events/b", draftOf(), { expect: b.revision });
        await pass(50_000);
        assert.ok(await store.get("/events/a"));
        const watcher = recorder();
        store.watch("/events/", { after: store.head }, watcher);
        await pass(20_000);
        await watcher.count(1);
        assert.equal(await store.get("/events/a"), undefined);
        assert.ok(await store.get("/events/b"), "a write without a time to live cancels it");
      });
    });
  });
}
