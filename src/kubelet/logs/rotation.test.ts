import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { SteppedClock, silentLog } from "../../base/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import type { Runtime } from "../../runtime/index.ts";
import { defaultConfig } from "../config/read-config.ts";
import { LogRotator } from "./log-rotator.ts";
import { rotatedName, rotationPlan } from "./rotation-plan.ts";

test("of rotated logs as many are kept as is said, compressed but for the newest; what was left half done goes", () => {
  const names = ["0.log.3.gz", "0.log.4.gz", "0.log.5", "0.log.1.gz", "0.log.2.gz"];
  assert.deepEqual(rotationPlan(names, 5), { remove: ["0.log.1.gz", "0.log.2.gz"], compress: ["0.log.5"] });
  assert.deepEqual(rotationPlan(names, 2), { remove: [...names].sort(), compress: [] });
  assert.deepEqual(rotationPlan([], 5), { remove: [], compress: [] });
  assert.deepEqual(rotationPlan(["0.log.1", "0.log.1.gz", "0.log.2.tmp"], 5), {
    remove: ["0.log.1", "0.log.2.tmp"],
    compress: [],
  });
  assert.equal(rotatedName("0.log", Date.UTC(2026, 0, 2, 3, 4, 5, 678)), "0.log.20260102-030405");
});

/** An engine with one running container, which writes its log anew when it is told to. */
async function withLog(
  body: (bed: {
    dir: string;
    path: string;
    clock: SteppedClock;
    rotator: LogRotator;
    fail(): void;
  }) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "peapod-rotation-"));
  const path = join(dir, "0.log");
  const clock = new SteppedClock();
  let fails = false;
  const runtime = {
    listContainers: async () => [{ id: "c", state: "running", logPath: path }],
    reopenContainerLog: async () => {
      if (fails) throw new Error("conmon is gone");
      await writeFile(path, "");
    },
  } as unknown as Runtime;
  const config = { ...defaultConfig(), containerLogMaxSize: parseQuantity("1Ki"), containerLogMaxFiles: 3 };
  try {
    const rotator = new LogRotator({ config, runtime, clock, log: silentLog });
    await body({ dir, path, clock, rotator, fail: () => (fails = true) });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("a log is rotated once it is too large, and old ones are compressed and then removed", () =>
  withLog(async ({ clock, dir, path, rotator }) => {
    await writeFile(path, "x".repeat(1_023));
    await rotator.rotateAll();
    assert.deepEqual(await readdir(dir), ["0.log"]);
    for (const text of ["first", "second", "third"]) {
      await writeFile(path, text.padEnd(1_024, "."));
      await clock.step(10_000);
      await rotator.rotateAll();
    }
    const names = (await readdir(dir)).sort();
    assert.equal(names.length, 3, `${names}`);
    assert.match(names[1]!, /^0\.log\.\d{8}-\d{6}\.gz$/);
    assert.match(gunzipSync(await readFile(join(dir, names[1]!))).toString(), /^second/);
    assert.match(await readFile(join(dir, names[2]!), "utf8"), /^third/);
    assert.equal((await stat(path)).size, 0);
  }));

test("where the engine cannot go on in a new file, the old one keeps its name and all that is in it", () =>
  withLog(async ({ dir, fail, path, rotator }) => {
    fail();
    await writeFile(path, "x".repeat(2_000));
    await rotator.rotateAll();
    assert.deepEqual(await readdir(dir), ["0.log"]);
    assert.equal((await stat(path)).size, 2_000);
  }));
