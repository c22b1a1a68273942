import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { corev1 } from "../../../api/index.ts";
import { CommandMounter } from "../mounter.ts";
import { EmptyDirPlugin } from "./empty-dir.ts";
import { hugePageBytes, tmpfsBytes } from "./empty-dir-size.ts";

const Mi = 2 ** 20;
const podOf = (resources: object, spec: object = {}) =>
  ({ metadata: {}, spec: { containers: [{ name: "c", resources }], ...spec } }) as corev1.Pod;

test("an emptyDir in memory grows to what it says, but not past its pod's memory or the node's", () => {
  const limited = podOf({ limits: { memory: "64Mi" } });
  const cases: [pod: corev1.Pod, sizeLimit: string | undefined, expected: number][] = [
    [podOf({}), undefined, 1024 * Mi],
    [podOf({}), "8Mi", 8 * Mi],
    [podOf({}), "2Gi", 1024 * Mi],
    [podOf({}), "0", 1024 * Mi],
    [limited, undefined, 64 * Mi],
    [limited, "8Mi", 8 * Mi],
    [limited, "128Mi", 64 * Mi],
    [podOf({}, { resources: { limits: { memory: "32Mi" } } }), undefined, 32 * Mi],
  ];
  for (const [pod, sizeLimit, expected] of cases)
    assert.equal(tmpfsBytes(pod, sizeLimit, 1024 * Mi), expected, JSON.stringify([pod.spec, sizeLimit]));
});

test("huge pages of an emptyDir are of the size it names, or of the only one that its pod asks for", () => {
  const of = (...names: string[]) =>
    podOf({ requests: Object.fromEntries(names.map((name) => [name, "4Mi"])) });
  assert.equal(hugePageBytes("HugePages", of("hugepages-2Mi", "cpu")), 2 * Mi);
  assert.equal(hugePageBytes("HugePages-1Gi", of("hugepages-2Mi", "hugepages-1Gi")), 1024 * Mi);
  assert.throws(() => hugePageBytes("HugePages", of("hugepages-2Mi", "hugepages-1Gi")), /multiple huge page/);
  assert.throws(() => hugePageBytes("HugePages", of("memory")), /there is no resource request for huge/);
  assert.throws(() => hugePageBytes("HugePages-1Gi", of("hugepages-2Mi")), /medium HugePages-1Gi: hugePages/);
});

let dir: string;
const mounter = new CommandMounter();
const plugin = new EmptyDirPlugin({ mounter, node: () => ({ hostIps: [], allocatable: { memory: "1Gi" } }) });
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "peapod-empty-dir-"));
});
after(async () => {
  for (const point of await mounter.mountsBelow(dir)) await mounter.unmount(point);
  await rm(dir, { recursive: true, force: true });
});

async function setUp(name: string, emptyDir: corev1.EmptyDirVolumeSource, fsGroup?: number, pod = podOf({})) {
  const folder = join(dir, name);
  const spec = { name, volume: { name, emptyDir }, readOnly: false };
  await plugin.setUp(spec, { pod, folder, fsGroup, signal: new AbortController().signal });
  const { gid, mode } = await stat(folder);
  return { folder, gid, mode: (mode & 0o7777).toString(8) };
}

test("an emptyDir is open to all users of its pod, and belongs to the pod's group", async () => {
  assert.deepEqual(await setUp("plain", {}), { folder: join(dir, "plain"), gid: 0, mode: "777" });
  assert.deepEqual(await setUp("group", {}, 2000), { folder: join(dir, "group"), gid: 2000, mode: "2777" });
});

test("setting it up again, after a restart of the agent, leaves it as the pod has made it", async () => {
  const { folder } = await setUp("kept", {}, 2000);
  await chmod(folder, 0o700);
  await writeFile(join(folder, "file"), "kept");
  assert.equal((await setUp("kept", {}, 2000)).mode, "700");
  assert.equal(await readFile(join(folder, "file"), "utf8"), "kept");
});

test("an emptyDir in memory is a tmpfs of its size, mounted once", async () => {
  const first = await setUp("memory", { medium: "Memory", sizeLimit: "8Mi" }, 2000);
  assert.deepEqual([first.gid, first.mode], [2000, "3777"]);
  const { blocks, bsize } = await statfs(first.folder);
  assert.equal(blocks * bsize, 8 * Mi);
  await writeFile(join(first.folder, "file"), "kept");
  await setUp("memory", { medium: "Memory", sizeLimit: "8Mi" }, 2000);
  assert.equal(await readFile(join(first.folder, "file"), "utf8"), "kept");
  assert.equal((await setUp("memory-plain", { medium: "Memory" })).mode, "1777");
});

const hugeTlb = await readFile("/proc/filesystems", "utf8").then((text) => text.includes("hugetlbfs"));
test("an emptyDir of huge pages is a hugetlbfs", { skip: !hugeTlb && "no hugetlbfs here" }, async () => {
  const pod = podOf({ requests: { "hugepages-2Mi": "4Mi" } });
  const { folder, gid, mode } = await setUp("huge", { medium: "HugePages" }, 2000, pod);
  assert.deepEqual([gid, mode], [2000, "2777"]);
  assert.equal((await statfs(folder)).bsize, 2 * Mi);
});
