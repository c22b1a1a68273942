import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { CompactedError, type Entry, FutureRevisionError, type Store } from "./store.ts";
import { draftOf, keysOf, recorder, summary } from "./store-fixture.suite.ts";

/** What the contract says of watches; `store` gives each test its empty one. */
export function watchContract(given: {
  store(): Store;
  create(key: string, fields?: Record<string, unknown>): Promise<Entry>;
}): void {
  describe("watches", () => {
    let store: Store;
    beforeEach(() => {
      store = given.store();
    });

    test("deliver every later event of their prefix once and in order", async () => {
      const watcher = recorder();
      const subscription = store.watch("/p/", { after: store.head }, watcher);
      const a = await given.create("/p/a");
      await given.create("/q/a");
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
      for (const key of keys) await given.create(key);
      const watcher = recorder();
      const subscription = store.watch("/p/", { after: start }, watcher);
      assert.equal(watcher.events.length, 0, "nothing before the caller has its subscription");
      await given.create("/p/d");
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
      await given.create("/pods/ns/a");
      await given.create("/pods/ns/ab");
      await given.create("/nodes/n");
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
      await given.create("/p/a");
      await watcher.count(1);
      subscription.close();
      subscription.close();
      await given.create("/p/b");
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
      const writes = Array.from({ length: 50 }, (_, i) => given.create(`/p/${i}`));
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
              void given.create("/p/b");
              store.watch("/p/", { after: store.head }, late);
            }
          },
        },
      );
      store.watch("/p/", { after: store.head }, second);
      await given.create("/p/a");
      await second.count(2);
      await late.count(1);
      assert.deepEqual(first, ["/p/a", "/p/b"]);
      assert.deepEqual(keysOf(second.events.map((event) => event.entry)), ["/p/a", "/p/b"]);
      assert.deepEqual(keysOf(late.events.map((event) => event.entry)), ["/p/b"]);
    });

    test("from before the compaction or from the future cannot start", async () => {
      const a = await given.create("/p/a");
      const b = await given.create("/p/b");
      await store.compact(b.revision);
      assert.throws(() => store.watch("/p/", { after: a.revision }, recorder()), CompactedError);
      assert.throws(() => store.watch("/p/", { after: b.revision + 50 }, recorder()), FutureRevisionError);
      const watcher = recorder();
      store.watch("/p/", { after: b.revision }, watcher);
      await given.create("/p/c");
      assert.deepEqual(keysOf((await watcher.count(1)).map((event) => event.entry)), ["/p/c"]);
    });

    test("end with the store", async () => {
      const watcher = recorder();
      store.watch("/p/", { after: store.head }, watcher);
      await store.close();
      assert.equal(watcher.closed.length, 1);
      await assert.rejects(given.create("/p/a"));
    });
  });
}
