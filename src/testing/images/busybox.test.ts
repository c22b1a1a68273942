import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { busyboxProgram } from "./busybox.ts";
import { run } from "./debian-packages.ts";

test("where no newer busybox can be had, the host's own is taken, and it is said why", async () => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-busybox-"));
  try {
    const said: string[] = [];
    const program = await busyboxProgram(dir, (line) => said.push(line), ["no-such-release"]);
    assert.match(said[0]!, /^busybox of Debian no-such-release cannot be had: apt-get /);
    assert.equal(await run(program, ["echo", "works"]), "works\n");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
