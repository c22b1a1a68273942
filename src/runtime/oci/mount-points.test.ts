import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Mount } from "../contract.ts";
import { MountPointLayers } from "./mount-points.ts";

const dir = mkdtempSync(join(tmpdir(), "peapod-mount-points-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const volume = join(dir, "volume");
mkdirSync(volume);
const file = join(dir, "file");
writeFileSync(file, "");

let serial = 0;
async function prepared(): Promise<{ layers: MountPointLayers; folder: string }> {
  const folder = join(dir, `layers-${serial++}`);
  const layers = new MountPointLayers(folder);
  await layers.prepare();
  return { layers, folder };
}

const mountAt = (containerPath: string, hostPath = volume): Mount => ({
  containerPath,
  hostPath,
  readOnly: false,
  propagation: "private",
});

test("a container without volumes stands on the layer of all", async () => {
  const { layers, folder } = await prepared();
  assert.deepEqual(layers.of([]), [join(folder, "base")]);
  for (const path of ["etc/hosts", "etc/hostname", "etc/resolv.conf", "proc", "sys", "dev"])
    assert.ok(existsSync(join(folder, "base", path)), path);
});

test("containers that mount at the same places, in whatever order, share a layer that has them", async () => {
  const { layers, folder } = await prepared();
  const [base, set, ...more] = layers.of([mountAt("/data/in"), mountAt("/var//run/./secrets/")]);
  assert.equal(base, join(folder, "base"));
  assert.deepEqual(more, []);
  assert.ok(statSync(join(set!, "data/in")).isDirectory());
  assert.equal(statSync(join(set!, "var/run/secrets")).mode & 0o7777, 0o755);
  assert.equal(statSync(set!).mode & 0o7777, 0o755);
  assert.deepEqual(layers.of([mountAt("/var/run/secrets"), mountAt("/data/in")]), [base, set]);
});

test("a path with .. stays in its layer", async () => {
  const { layers, folder } = await prepared();
  const [, set] = layers.of([mountAt("/a/../../../b")]);
  assert.deepEqual(readdirSync(set!), ["b"]);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("b") && name !== "base"),
    [],
  );
});

test("files, parts of images, what is missing, and what is below the kernel's filesystems are left to the runtime", async () => {
  const { layers, folder } = await prepared();
  const mounts = [
    mountAt("/etc/app.conf", file),
    { ...mountAt("/from-image", ""), imageId: "i", imageSubPath: "may/be/a/file" },
    mountAt("/new", join(dir, "missing")),
    mountAt("/dev/termination-log", file),
    mountAt("/dev/disk"),
    mountAt("/sys/fs/cgroup"),
    mountAt("/"),
  ];
  assert.deepEqual(layers.of(mounts), [join(folder, "base")]);
});

test("a place that cannot be made is left to the runtime, which says so, and nothing stays of it", async () => {
  const { layers, folder } = await prepared();
  assert.deepEqual(layers.of([mountAt(`/${"x".repeat(300)}`)]), [join(folder, "base")]);
  assert.deepEqual(readdirSync(folder), ["base"]);
});

test("an engine that starts again knows the layers, and removes what was not finished", async () => {
  const { layers, folder } = await prepared();
  const before = layers.of([mountAt("/data")]);
  mkdirSync(join(folder, "new-abcdef/x"), { recursive: true });
  const again = new MountPointLayers(folder);
  await again.prepare();
  assert.equal(existsSync(join(folder, "new-abcdef")), false);
  const { ino } = statSync(before[1]!);
  assert.deepEqual(again.of([mountAt("/data")]), before);
  assert.equal(statSync(before[1]!).ino, ino);
});

test("only so many sets are kept", async () => {
  const { layers, folder } = await prepared();
  for (let i = 0; i < 260; i++) layers.of([mountAt(`/data-${i}`)]);
  assert.equal(readdirSync(folder).length, 257);
  assert.equal(layers.of([mountAt("/data-0")]).length, 2);
  assert.equal(layers.of([mountAt("/data-259")]).length, 1);
});
