import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SteppedClock, silentLog } from "../../base/index.ts";
import { NoSpaceError } from "../store.ts";
import { draftOf } from "../store-fixture.suite.ts";
import { openLmdbStore } from "./lmdb-store.ts";

const skip = process.getuid?.() === 0 ? false : "mounting a small disk needs root";

test("a full disk refuses writes, loses nothing, and serves again once there is room", { skip }, async () => {
  const disk = mkdtempSync(join(tmpdir(), "peapod-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]);
  try {
    const ballast = join(disk, "ballast");
    writeFileSync(ballast, Buffer.alloc(1_500_000));
    const clock = new SteppedClock();
    const dir = join(disk, "store");
    const open = () => openLmdbStore({ dir, clock, log: silentLog });
    let store = await open();

    const value = { filler: "x".repeat(20_000) };
    const written = [];
    let refused = 0;
    for (let i = 0; refused < 3; i++) {
      try {
        written.push(await store.put(`/a/${i}`, draftOf(value), { expect: 0 }));
      } catch (error) {
        assert.ok(error instanceof NoSpaceError, String(error));
        refused++;
        await clock.step(1_000);
      }
    }
    assert.ok(written.length > 10, `${written.length} written`);
    const head = store.head;
    assert.equal(head, written.at(-1)!.revision);
    assert.equal(await store.count("/a/"), written.length, "what was refused is not seen");
    const together = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => store.put(`/b/${i}`, draftOf(value), { expect: 0 })),
    );
    assert.ok(together.every(({ status }) => status === "rejected"));

    rmSync(ballast);
    await clock.step(1_000);
    const after = await store.put("/c", draftOf(value), { expect: 0 });
    assert.ok(after.revision > head);
    await store.put("/a/0", draftOf({ n: 1 }), { expect: written[0]!.revision });
    await store.close();

    store = await open();
    assert.equal(await store.count("/a/"), written.length);
    assert.equal(await store.count("/b/"), 0);
    assert.equal((await store.get("/a/0"))!.object.n, 1);
    assert.deepEqual((await store.get("/a/1"))!.bytes, written[1]!.bytes);
    await store.close();
  } finally {
    execFileSync("umount", ["--lazy", disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});
