import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { type Clock, SteppedClock, silentLog } from "../../base/index.ts";
import { storeContract } from "../contract.suite.ts";
import { CompactedError, type Store } from "../store.ts";
import { draftOf } from "../store-fixture.suite.ts";
import { DirectoryLockedError } from "./directory-lock.ts";
import { openLmdbStore } from "./lmdb-store.ts";

const dirs: string[] = [];
const makeDir = () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-store-"));
  dirs.push(dir);
  return dir;
};
after(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});
const openIn = (dir: string, clock: Clock = new SteppedClock()) =>
  openLmdbStore({ dir, clock, log: silentLog });

storeContract({
  name: "LMDB",
  open: async (clock) => {
    const dir = makeDir();
    const store = await openIn(dir, clock);
    return {
      store,
      dispose: async () => {
        await store.close();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
});

describe("an LMDB store that is opened again", () => {
  let dir: string;
  let store: Store;
  beforeEach(async () => {
    dir = makeDir();
    store = await openIn(dir);
  });
  afterEach(() => store.close());

  const reopen = async (clock?: Clock) => {
    await store.close();
    store = await openIn(dir, clock);
  };

  test("has every entry at its revision, and the head of a last deletion", async () => {
    const a = await store.put("/a", draftOf({ n: 1 }), { expect: 0 });
    const b = await store.put("/b", draftOf({ text: "ü\u{1f600}" }), { expect: 0 });
    const gone = await store.delete("/b", draftOf(), { expect: b.revision });
    await reopen();
    assert.equal(store.head, gone.revision);
    assert.equal(await store.get("/b"), undefined);
    const read = await store.get("/a");
    assert.equal(read!.revision, a.revision);
    assert.deepEqual(read!.bytes, a.bytes);
    const next = await store.put("/a", draftOf({ n: 2 }), { expect: a.revision });
    assert.ok(next.revision > gone.revision);
  });

  test("keeps values of every size byte by byte", async () => {
    const sizes = [0, 1, 1_900, 2_000, 2_040, 4_096, 65_500, 65_536, 1_500_000];
    const written = [];
    for (const size of sizes) {
      written.push(await store.put(`/size/${size}`, draftOf({ x: "y".repeat(size) }), { expect: 0 }));
    }
    await reopen();
    for (const entry of written) assert.deepEqual((await store.get(entry.key))!.bytes, entry.bytes);
    assert.equal(await store.count("/size/"), sizes.length);
  });

  test("cannot watch from before, and can from its head", async () => {
    const a = await store.put("/a", draftOf(), { expect: 0 });
    await store.put("/b", draftOf(), { expect: 0 });
    await reopen();
    assert.throws(() => store.watch("/", { after: a.revision }, { onEvents: () => {} }), CompactedError);
    store.watch("/", { after: store.head }, { onEvents: () => {} }).close();
    await assert.rejects(store.range("/", { at: a.revision }), CompactedError);
    assert.equal((await store.range("/", { at: store.head })).entries.length, 2);
  });

  test("expires what fell due meanwhile", async () => {
    const clock = new SteppedClock();
    await reopen(clock);
    await store.put("/events/a", draftOf(), { expect: 0, ttlS: 60 });
    await store.put("/events/b", draftOf(), { expect: 0, ttlS: 3_600 });
    const later = new SteppedClock(clock.now() + 120_000);
    await reopen(later);
    assert.ok(await store.get("/events/a"));
    let left = 2;
    const gone = new Promise<void>((resolve) => {
      store.watch("/events/", { after: store.head }, { onEvents: () => resolve() });
    });
    await later.step(1);
    await gone;
    left = await store.count("/events/");
    assert.equal(left, 1);
  });

  test("is readable by its owner only", () => {
    for (const file of ["store.mdb", "store.mdb-lock", "lock"]) {
      assert.equal(statSync(join(dir, file)).mode & 0o077, 0, file);
    }
  });

  test("belongs to one process, which the error names", async () => {
    await assert.rejects(openIn(dir), (error) => {
      assert.ok(error instanceof DirectoryLockedError);
      assert.equal(error.pid, process.pid);
      assert.match(error.message, new RegExp(`in use by process ${process.pid}`));
      return true;
    });
    // Not even a process that dies without a word keeps it.
    await store.close();
    const script = `
      const { openLmdbStore } = await import(${JSON.stringify(import.meta.resolve("./lmdb-store.ts"))});
      const { SystemClock, silentLog } = await import(${JSON.stringify(import.meta.resolve("../../base/index.ts"))});
      await openLmdbStore({ dir: ${JSON.stringify(dir)}, clock: new SystemClock(), log: silentLog });
      process.kill(process.pid, "SIGKILL");`;
    const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
    assert.equal(child.signal, "SIGKILL", child.stderr.toString());
    store = await openIn(dir);
  });
});

test("a store that was written to and then left alone lets go of its file, and takes it up again", async () => {
  const dir = makeDir();
  const clock = new SteppedClock();
  const isMapped = () => readFileSync("/proc/self/maps", "utf8").includes(dir);
  const store = await openIn(dir, clock);
  try {
    const large = draftOf({ x: "y".repeat(1_000_000) });
    const first = await store.put("/0", large, { expect: 0 });
    for (let i = 1; i < 5; i++) await store.put(`/${i}`, large, { expect: 0 });
    assert.ok(isMapped());
    await clock.step(2_000);
    assert.ok(!isMapped());
    const writes = ["/a", "/b", "/c"].map((key) => store.put(key, draftOf(), { expect: 0 }));
    await Promise.all([...writes, store.delete("/0", draftOf(), { expect: first.revision })]);
    assert.equal(await store.count("/"), 7);
    await clock.step(2_000);
    assert.ok(isMapped(), "little was written since");
  } finally {
    await store.close();
  }
});
