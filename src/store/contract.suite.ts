import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { SteppedClock } from "../base/index.ts";
import {
  CompactedError,
  type Draft,
  type Entry,
  FutureRevisionError,
  keyBytesMax,
  StaleError,
  type Store,
  type StoreEvent,
  TooLargeError,
  valueBytesMax,
} from "./store.ts";

/** How the suite gets an empty store of an engine, and rid of it. */
export interface Engine {
  name: string;
  open(clock: SteppedClock): Promise<{ store: Store; dispose(): Promise<void> }>;
  /** Expires what is due, for an engine that keeps its own time (etcd); default: the stepped clock alone. */
  pass?(clock: SteppedClock, ms: number): Promise<void>;
}

/** An object as the API server would write it. */
export const draftOf =
  (fields: Record<string, unknown> = {}): Draft =>
  (revision) => {
    const object = { metadata: { resourceVersion: String(revision) }, ...fields };
    return { bytes: Buffer.from(JSON.stringify(object)), object };
  };

/** Everything a watch delivers, and a way to wait for it. */
export function recorder() {
  const events: StoreEvent[] = [];
  let wake = () => {};
  return {
    events,
    closed: [] as Error[],
    onEvents(batch: readonly StoreEvent[]) {
      assert.ok(batch.length > 0, "a batch has at least one event");
      events.push(...batch);
      wake();
    },
    onClose(error: Error) {
      this.closed.push(error);
    },
    async count(n: number) {
      while (events.length < n) await new Promise<void>((resolve) => (wake = resolve));
      return events;
    },
  };
}

const keysOf = (entries: readonly Entry[]) => entries.map((entry) => entry.key);
const summary = (events: readonly StoreEvent[]) =>
  events.map(({ type, entry }) => `${type} ${entry.key}@${entry.revision}`);

/** The contract of `Store`, as tests; run on every engine. */
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

    describe("watches", () => {
      test("deliver every later event of their prefix once and in order", async () => {
        const watcher = recorder();
        const subscription = store.watch("/p/", { after: store.head }, watcher);
        const a = await create("/p/a");
        await create("/q/a");
        const a2 = await store.put("/p/a", draftOf({ n: 2 }), { expect: a.revision });
        const gone = await store.delete("/p/a", draftOf(), { expect: a2.revision });
        const events = await watcher.count(3);
        assert.deepEqual(summary(events), [
          `put /p/a@${a.revision}`,
          `put /p/a@${a2.revision}`,
          `delete /p/a@${gone.revision}`,
        ]);
        assert.equal(events[0]!.previous, undefined);
        assert.equal(events[1]!.previous!.revision, a.revision);
        assert.equal(events[2]!.previous!.revision, a2.revision);
        subscription.close();
      });

      test("from the past deliver what they missed, then what follows", async () => {
        const start = store.head;
        const keys = ["/p/a", "/q/x", "/p/b", "/p/c"];
        for (const key of keys) await create(key);
        const watcher = recorder();
        const subscription = store.watch("/p/", { after: start }, watcher);
        assert.equal(watcher.events.length, 0, "nothing before the caller has its subscription");
        await create("/p/d");
        const events = await watcher.count(4);
        assert.deepEqual(keysOf(events.map((event) => event.entry)), ["/p/a", "/p/b", "/p/c", "/p/d"]);
        subscription.close();
      });

      test("of one key, a namespace, a resource and everything each get their part", async () => {
        const prefixes = ["", "/", "/pods/", "/pods/ns/", "/pods/ns/a", "/pods/ns/b", "/po", "/pods/other/"];
        const watchers = prefixes.map((prefix) => {
          const watcher = recorder();
          store.watch(prefix, { after: store.head }, watcher);
          return watcher;
        });
        await create("/pods/ns/a");
        await create("/pods/ns/ab");
        await create("/nodes/n");
        await watchers[0]!.count(3);
        await watchers[2]!.count(2);
        assert.deepEqual(
          watchers.map((watcher) => watcher.events.length),
          [3, 3, 2, 2, 2, 0, 2, 0],
        );
      });

      test("that are closed get nothing more", async () => {
        const watcher = recorder();
        const other = recorder();
        const subscription = store.watch("/p/", { after: store.head }, watcher);
        store.watch("/p/", { after: store.head }, other);
        await create("/p/a");
        await watcher.count(1);
        subscription.close();
        subscription.close();
        await create("/p/b");
        await other.count(2);
        assert.equal(watcher.events.length, 1);
      });

      test("see only what readers see, and writers are answered after it is there", async () => {
        const seen: boolean[] = [];
        store.watch(
          "/p/",
          { after: store.head },
          {
            onEvents: (events) => {
              for (const event of events) seen.push(store.head >= event.entry.revision);
            },
          },
        );
        const writes = Array.from({ length: 50 }, (_, i) => create(`/p/${i}`));
        assert.equal(await store.get("/p/0"), undefined, "not durable, not seen");
        for (const entry of await Promise.all(writes)) {
          assert.equal((await store.get(entry.key))!.revision, entry.revision);
        }
        assert.deepEqual(seen, Array(50).fill(true));
      });

      test("that write or watch while they are called keep the order for all", async () => {
        const first: string[] = [];
        const second = recorder();
        const late = recorder();
        store.watch(
          "/p/",
          { after: store.head },
          {
            onEvents: (events) => {
              for (const { entry } of events) {
                first.push(entry.key);
                if (entry.key !== "/p/a") continue;
                void create("/p/b");
                store.watch("/p/", { after: store.head }, late);
              }
            },
          },
        );
        store.watch("/p/", { after: store.head }, second);
        await create("/p/a");
        await second.count(2);
        await late.count(1);
        assert.deepEqual(first, ["/p/a", "/p/b"]);
        assert.deepEqual(keysOf(second.events.map((event) => event.entry)), ["/p/a", "/p/b"]);
        assert.deepEqual(keysOf(late.events.map((event) => event.entry)), ["/p/b"]);
      });

      test("from before the compaction or from the future cannot start", async () => {
        const a = await create("/p/a");
        const b = await create("/p/b");
        await store.compact(b.revision);
        assert.throws(() => store.watch("/p/", { after: a.revision }, recorder()), CompactedError);
        assert.throws(() => store.watch("/p/", { after: b.revision + 50 }, recorder()), FutureRevisionError);
        const watcher = recorder();
        store.watch("/p/", { after: b.revision }, watcher);
        await create("/p/c");
        assert.deepEqual(keysOf((await watcher.count(1)).map((event) => event.entry)), ["/p/c"]);
      });

      test("end with the store", async () => {
        const watcher = recorder();
        store.watch("/p/", { after: store.head }, watcher);
        await store.close();
        assert.equal(watcher.closed.length, 1);
        await assert.rejects(create("/p/a"));
      });
    });

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
