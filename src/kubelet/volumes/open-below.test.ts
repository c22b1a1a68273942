import assert from "node:assert/strict";
import { mkdir, mkdtemp, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkPath, writeAtomically } from "./atomic-writer.ts";
import { openBelow } from "./open-below.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "peapod-volume-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where an opened place is. */
async function placeOf(root: string, path: string, makeMode?: number): Promise<string> {
  const place = await openBelow(root, path, makeMode);
  try {
    return await readlink(`/proc/self/fd/${place.fd}`);
  } finally {
    await place.close();
  }
}

test("no subPath leads out of its volume, by whatever links", () =>
  inFolder(async (folder) => {
    const root = join(folder, "volume");
    await mkdir(join(root, "inside", "deep"), { recursive: true });
    await writeFile(join(folder, "secret"), "");
    await symlink("inside", join(root, "relative"));
    await symlink(join(root, "inside/deep"), join(root, "absolute"));
    await symlink("/bin", join(root, "absolute-escape"));
    await symlink("../", join(root, "escape"));
    await symlink("../secret", join(root, "inside/near-escape"));
    await symlink("loop", join(root, "loop"));
    assert.equal(await placeOf(root, "inside/deep"), join(root, "inside/deep"));
    assert.equal(await placeOf(root, "relative/deep"), join(root, "inside/deep"));
    assert.equal(await placeOf(root, "absolute"), join(root, "inside/deep"));
    // Not even made: the folder it names would be another than the link means.
    for (const path of ["escape", "escape/made", "absolute-escape", "absolute-escape/made"])
      await assert.rejects(placeOf(root, path, 0o777), /leads out of the volume/, path);
    await assert.rejects(placeOf(root, "inside/near-escape"), /ENOENT/);
    await assert.rejects(placeOf(root, "loop"), /too many links/);
    await assert.rejects(placeOf(root, "absent"), /ENOENT/);
    for (const [name, target] of [
      ["nowhere", "absent/deep"],
      ["nowhere-absolute", join(root, "absent")],
    ]) {
      await symlink(target!, join(root, name!));
      for (const path of [name!, `${name}/made`])
        await assert.rejects(placeOf(root, path, 0o777), /ENOENT/, path);
    }
    await assert.rejects(stat(join(root, "absent")), /ENOENT/);
    assert.equal(await placeOf(root, "relative/made", 0o777), join(root, "inside/made"));
    assert.equal(await placeOf(root, "made/anew", 0o2777), join(root, "made/anew"));
    assert.equal((await stat(join(root, "made/anew"))).mode & 0o7777, 0o2777);
  }));

test("a volume's content is replaced as a whole, and left alone when nothing has changed", () =>
  inFolder(async (folder) => {
    const file = (text: string) => ({ data: Buffer.from(text), mode: 0o644 });
    assert.equal(await writeAtomically(folder, new Map([["a/b", file("1")]]), { nowMs: 0 }), true);
    const first = await readlink(join(folder, "..data"));
    assert.equal(await writeAtomically(folder, new Map([["a/b", file("1")]]), { nowMs: 1 }), false);
    assert.equal(await readlink(join(folder, "..data")), first);
    assert.equal(await writeAtomically(folder, new Map([["c", file("2")]]), { nowMs: 2 }), true);
    assert.notEqual(await readlink(join(folder, "..data")), first);
    await assert.rejects(stat(join(folder, first)), /ENOENT/);
    await assert.rejects(stat(join(folder, "a")), /ENOENT/);
  }));

test("a key cannot name a file outside of its volume", () => {
  for (const path of ["", "/etc/passwd", "../up", "a/../../b", "..data"])
    assert.throws(() => checkPath(path), /invalid path/);
  checkPath("a/b..c/.d");
});
