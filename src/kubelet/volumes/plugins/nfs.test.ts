import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { corev1 } from "../../../api/index.ts";
import { CommandMounter, type Mounter, type MountHow } from "../mounter.ts";
import type { VolumeSpec } from "../plugin.ts";
import { NfsPlugin } from "./nfs.ts";

const pod = { metadata: { uid: "u" }, spec: {} } as corev1.Pod;
const inline = (nfs: object): VolumeSpec => ({
  name: "v",
  volume: { name: "v", nfs } as corev1.Volume,
  readOnly: false,
});

async function mounts(spec: VolumeSpec, isMounted = false) {
  const asked: [source: string, how: MountHow][] = [];
  const mounter = {
    isMountPoint: async () => isMounted,
    mount: async (source, _target, how) => void asked.push([source, how]),
  } as Pick<Mounter, "isMountPoint" | "mount"> as Mounter;
  const dir = await mkdtemp(join(tmpdir(), "peapod-nfs-"));
  try {
    const plugin = new NfsPlugin({ mounter });
    assert.equal(plugin.canHandle(spec), true);
    const { signal } = new AbortController();
    const { readOnly } = await plugin.setUp(spec, {
      pod,
      folder: join(dir, "v"),
      fsGroup: undefined,
      signal,
    });
    return { asked, readOnly };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("an NFS directory is mounted by its server and path, once", async () => {
  const spec = inline({ server: "nfs.example.com", path: "/export" });
  assert.deepEqual((await mounts(spec)).asked, [["nfs.example.com:/export", { type: "nfs", options: [] }]]);
  assert.deepEqual((await mounts(spec, true)).asked, []);
});

test("a persistent NFS volume has its options, and is read-only where the claim is", async () => {
  const persistentVolume = {
    metadata: { name: "pv" },
    spec: { nfs: { server: "fd00::1", path: "/" }, mountOptions: ["vers=4.1"] },
  } as corev1.PersistentVolume;
  const { asked, readOnly } = await mounts({ ...inline({}), persistentVolume, readOnly: true });
  assert.deepEqual(asked, [["[fd00::1]:/", { type: "nfs", options: ["ro", "vers=4.1"] }]]);
  assert.equal(readOnly, true);
});

test("a node without mount.nfs says so", {
  skip: existsSync("/sbin/mount.nfs") && "this one has it",
}, async () => {
  await assert.rejects(
    new CommandMounter().mount("nfs.example.com:/", "/nowhere", { type: "nfs", options: [] }),
    /mounting nfs needs mount.nfs, which this node does not have/,
  );
});
