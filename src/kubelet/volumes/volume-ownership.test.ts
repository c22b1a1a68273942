import assert from "node:assert/strict";
import { chmod, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { giveToGroup } from "./volume-ownership.ts";

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "peapod-ownership-"));
  await mkdir(join(root, "folder"), { mode: 0o700 });
  await writeFile(join(root, "folder/file"), "", { mode: 0o600 });
  await writeFile(join(root, "run"), "");
  await chmod(join(root, "run"), 0o755);
  await symlink("/etc/passwd", join(root, "link"));
});
after(() => rm(root, { recursive: true, force: true }));

const seen = async (path: string) => {
  const { gid, mode } = await lstat(join(root, path));
  return [gid, (mode & 0o7777).toString(8)];
};

test("a volume is given to a group with all that is in it, and what a link points to is not", async () => {
  const passwd = await lstat("/etc/passwd");
  await giveToGroup(root, 2000, undefined);
  assert.deepEqual(await seen("."), [2000, "2770"]);
  assert.deepEqual(await seen("folder"), [2000, "2770"]);
  assert.deepEqual(await seen("folder/file"), [2000, "660"]);
  assert.deepEqual(await seen("run"), [2000, "775"]);
  assert.equal((await seen("link"))[0], 2000);
  const { gid, mode } = await lstat("/etc/passwd");
  assert.deepEqual([gid, mode], [passwd.gid, passwd.mode]);
});

test("OnRootMismatch leaves a volume alone whose root is the group's, and Always does not", async () => {
  await chmod(join(root, "run"), 0o700);
  await giveToGroup(root, 2000, "OnRootMismatch");
  assert.deepEqual(await seen("run"), [2000, "700"]);
  await giveToGroup(root, 2000, "Always");
  assert.deepEqual(await seen("run"), [2000, "760"]);
  await giveToGroup(root, 2001, "OnRootMismatch");
  assert.deepEqual(await seen("folder/file"), [2001, "660"]);
});

test("a link in the place of a volume, or to a folder, leads the agent nowhere", async () => {
  const outside = await mkdtemp(join(tmpdir(), "peapod-outside-"));
  after(() => rm(outside, { recursive: true, force: true }));
  const before = await lstat(outside);
  await symlink(outside, join(root, "way-out"));
  await symlink("/nowhere", join(root, "dangling"));
  await giveToGroup(root, 2002, "Always");
  await giveToGroup(join(root, "way-out"), 2003, "Always");
  const { gid, mode } = await lstat(outside);
  assert.deepEqual([gid, mode], [before.gid, before.mode]);
});
