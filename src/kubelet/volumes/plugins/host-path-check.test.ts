import assert from "node:assert/strict";
import { mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { corev1 } from "../../../api/index.ts";
import { prepareHostPath } from "./host-path-check.ts";

type HostPathType = corev1.HostPathVolumeSource["type"];

const dir = await mkdtemp(join(tmpdir(), "peapod-hostpath-"));
await writeFile(join(dir, "file"), "");
await symlink(dir, join(dir, "link"));
const server = createServer();
await new Promise<void>((resolve) => server.listen(join(dir, "socket"), resolve));
after(async () => {
  server.close();
  await rm(dir, { recursive: true, force: true });
});

const fits: [type: HostPathType, path: string][] = [
  [undefined, "nothing"],
  ["Directory", "."],
  ["Directory", "link"],
  ["File", "file"],
  ["Socket", "socket"],
  ["CharDevice", "/dev/null"],
];
for (const [type, path] of fits) {
  test(`a hostPath of type ${type ?? "none"} takes ${path}`, async () => {
    await prepareHostPath({ path: path.startsWith("/") ? path : join(dir, path), type });
  });
}

const misfits: [type: HostPathType, path: string, what: string][] = [
  ["Directory", "file", "a directory"],
  ["Directory", "nothing", "a directory"],
  ["File", "link", "a file"],
  ["Socket", "file", "a socket file"],
  ["CharDevice", "file", "a character device"],
  ["BlockDevice", "file", "a block device"],
  ["DirectoryOrCreate", "file", "a directory"],
  ["FileOrCreate", "link", "a file"],
];
for (const [type, path, what] of misfits) {
  test(`a hostPath of type ${type} refuses ${path}, which is not ${what}`, async () => {
    const wanted = { message: `hostPath type check failed: ${join(dir, path)} is not ${what}` };
    await assert.rejects(prepareHostPath({ path: join(dir, path), type }), wanted);
  });
}

test("DirectoryOrCreate and FileOrCreate make what is not there", async () => {
  await prepareHostPath({ path: join(dir, "a/b"), type: "DirectoryOrCreate" });
  await prepareHostPath({ path: join(dir, "a/b/c"), type: "FileOrCreate" });
  assert.ok((await stat(join(dir, "a/b"))).isDirectory());
  assert.ok((await stat(join(dir, "a/b/c"))).isFile());
});
