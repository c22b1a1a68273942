import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, peapod, run } from "./support/cluster.ts";

test("on a full disk writes are refused and reads go on; with room again all is well; a purge leaves the mount", async () => {
  const dir = mkdtempSync(join(tmpdir(), "peapod-full-"));
  await run("mount", ["-t", "tmpfs", "-o", "size=96m", "none", dir]);
  const kubectl = (...args: string[]) =>
    run("kubectl", args, { env: { KUBECONFIG: join(dir, "kubeconfig") }, timeoutMs: 20_000 });
  const fill = join(dir, "fill");
  try {
    const up = await peapod(["up", "--detach", "--data-dir", dir]);
    assert.equal(up.exitCode, 0, up.stderr);
    assert.equal((await kubectl("create", "configmap", "before")).exitCode, 0);
    // The log's last page is full as well.
    const log = join(dir, "peapod.log");
    appendFileSync(log, "\n".repeat(4096 - (statSync(log).size % 4096)));
    await run("dd", ["if=/dev/zero", `of=${fill}`, "bs=64k"]);

    const big = join(tmpdir(), `peapod-full-${process.pid}`);
    writeFileSync(big, "x".repeat(200_000));
    const refused = await kubectl("create", "configmap", "during", `--from-file=${big}`);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.stderr, /no space left on the store's device/);
    for (let i = 0; i < 10; i++) assert.equal((await kubectl("get", "configmap", "before")).exitCode, 0);

    rmSync(fill);
    await eventually("a write after there is room", async () => {
      return (await kubectl("create", "configmap", "after", `--from-file=${big}`)).exitCode === 0;
    });
    rmSync(big);
    await eventually("the log has what it could not write", async () =>
      readFileSync(log, "utf8").includes("no space left for the store"),
    );
    assert.match((await kubectl("get", "configmap", "during")).stderr, /not found/);

    assert.equal((await peapod(["down", "--purge", "--data-dir", dir])).exitCode, 0);
    assert.ok(readFileSync("/proc/mounts", "utf8").includes(` ${dir} `), "the user's mount is the user's");
    assert.deepEqual(readdirSync(dir), []);
  } finally {
    rmSync(fill, { force: true });
    await peapod(["down", "--purge", "--data-dir", dir]);
    await run("umount", ["-l", dir]);
    rmdirSync(dir);
  }
});
