import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, test } from "node:test";
import { SystemClock, silentLog } from "../../../base/index.ts";
import { createLinuxHost } from "../../linux/host.ts";
import { mountsBelow, readMounts } from "../../linux/mountinfo.ts";
import { keepProcessAlive } from "../keep-alive.ts";
import { containerConfig, createTestBed, sandboxConfig, untilExited } from "../test-bed.ts";
import { borrowControllers, returnControllers, unifiedMount } from "./hierarchies.ts";

const mounts = await readMounts();
const isHybrid = unifiedMount(mounts)?.isAlone === false && mounts.some(({ type }) => type === "cgroup");
const host = await createLinuxHost();
const clock = new SystemClock();

describe("controllers that are borrowed from cgroup v2", {
  skip: isHybrid ? false : "not both v1 and v2 here",
}, () => {
  after(keepProcessAlive());

  it("are mounted as v1 and given back, also while the kernel still knows their last cgroups", async (t) => {
    const dir = await mkdtemp(join(tmpdir(), "peapod-hierarchies-"));
    t.after(() => rm(dir, { recursive: true, force: true }));
    await borrowAndUse(dir);
    await returnControllers({ host, hierarchiesDir: dir, clock });
    assert.deepEqual(await mountedBelow(dir), []);
    assert.deepEqual(await stuck(), []);
  });

  it("are given back by whichever of two clusters goes last, also when both go at once", async (t) => {
    const dirs = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), "peapod-hierarchies-"))));
    t.after(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));
    for (const dir of dirs) await borrowAndUse(dir);
    await Promise.all(dirs.map((hierarchiesDir) => returnControllers({ host, hierarchiesDir, clock })));
    for (const dir of dirs) assert.deepEqual(await mountedBelow(dir), []);
    assert.deepEqual(await stuck(), []);
  });
});

test("an engine goes on when one that was there before it is purged", async (t) => {
  const before = await createTestBed();
  t.after(() => before.close());
  const bed = await createTestBed();
  t.after(() => bed.close());
  const { runtime } = bed;
  const config = sandboxConfig(bed);
  const sandbox = await runtime.runPodSandbox(config);
  const waits = await runtime.createContainer(sandbox, containerConfig(["sleep", "3600"]), config);
  await runtime.startContainer(waits);
  await before.close();
  assert.equal((await runtime.execSync(waits, ["echo", "in"], {})).stdout.toString(), "in\n");
  const next = { ...containerConfig(["sh", "-c", "exit 3"]), metadata: { name: "next", attempt: 0 } };
  const ends = await runtime.createContainer(sandbox, next, config);
  await runtime.startContainer(ends);
  assert.equal((await untilExited(runtime, ends)).exitCode, 3);
});

/** Makes and removes a cgroup in each hierarchy it gets; the kernel forgets it some time later. */
async function borrowAndUse(hierarchiesDir: string): Promise<void> {
  await borrowControllers({ host, hierarchiesDir, log: silentLog });
  for (const mount of await mountedBelow(hierarchiesDir)) {
    mkdirSync(`${mount}/peapod-test`, { recursive: true });
    rmdirSync(`${mount}/peapod-test`);
  }
}

const mountedBelow = async (dir: string) => mountsBelow(await readMounts(), dir).map(({ target }) => target);

/** Controllers that are attached to a hierarchy that is mounted nowhere, and stay so: one that others let go of goes soon. */
async function stuck(): Promise<string[]> {
  const giveUpMs = clock.monotonicMs() + 5000;
  for (;;) {
    const mounted = (await readMounts()).flatMap(({ type, superOptions }) =>
      type === "cgroup" ? superOptions.split(",") : [],
    );
    const nowhere = readFileSync("/proc/self/cgroup", "utf8")
      .split("\n")
      .flatMap((line) => line.split(":")[1]?.split(",") ?? [])
      .filter((name) => name !== "" && !mounted.includes(name));
    if (nowhere.length === 0 || clock.monotonicMs() > giveUpMs) return nowhere;
    await clock.sleep(20);
  }
}
