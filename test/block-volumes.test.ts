import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";

let cluster: TestCluster;
const hostDir = mkdtempSync(join(tmpdir(), "peapod-blocks-"));
const made: string[] = [];
before(async () => {
  cluster = await TestCluster.start();
});
after(async () => {
  await cluster?.purge();
  for (const device of made) execFileSync("losetup", ["--detach", device]);
  rmSync(hostDir, { recursive: true, force: true });
});

/** The files that loop devices stand for; removed ones are named as they were. */
const loopFiles = () =>
  readdirSync("/sys/block")
    .filter((name) => name.startsWith("loop"))
    .map((name) => {
      try {
        return readFileSync(`/sys/block/${name}/loop/backing_file`, "utf8").trim();
      } catch {
        return "";
      }
    });
const loopsBelow = (dir: string) => loopFiles().filter((file) => file.startsWith(dir));

const claim = (name: string, spec: object) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "16Mi" } }, ...spec },
});
const podWith = (name: string, claimName: string, script: string, container: object, source: object = {}) => {
  const pod = busyboxPod(name, script, {
    restartPolicy: "Never",
    volumes: [{ name: "disk", persistentVolumeClaim: { claimName, ...source } }],
  });
  Object.assign(pod.spec.containers[0]!, container);
  return pod;
};
const device = { volumeDevices: [{ name: "disk", devicePath: "/dev/disk" }] };
const succeeded = (pod: string) => cluster.wait(`pod/${pod}`, "jsonpath={.status.phase}=Succeeded");
const remove = (...names: string[]) => cluster.kubectl(["delete", "--grace-period=0", ...names]);

test("a pod gets a raw block device, which keeps what is written to it, grows, and is gone with its claim", async () => {
  await cluster.apply(claim("raw", { volumeMode: "Block" }));
  await cluster.apply(
    podWith(
      "writes",
      "raw",
      "test -b /dev/disk && echo kept | dd of=/dev/disk conv=fsync && exec sleep 3600",
      device,
    ),
  );
  await cluster.wait("pod/writes", "condition=Ready");
  const { spec } = await cluster.get("pvc", "raw");
  const file = join(cluster.dataDir, "volumes", spec.volumeName);
  await eventually("the file has it", async () => readFileSync(file).subarray(0, 5).toString() === "kept\n");
  assert.deepEqual(loopsBelow(cluster.dataDir), [file]);

  // The agent goes, and the device stays the one it was.
  await cluster.kill();
  await cluster.up();
  assert.equal((await cluster.get("pvc", "raw")).status.capacity.storage, "16Mi");
  await cluster.kubectl([
    "patch",
    "pvc",
    "raw",
    "-p",
    '{"spec":{"resources":{"requests":{"storage":"32Mi"}}}}',
  ]);
  await cluster.wait("pvc/raw", "jsonpath={.status.capacity.storage}=32Mi");
  const size = await cluster.kubectl(["exec", "writes", "--", "blockdev", "--getsize64", "/dev/disk"]);
  assert.equal(size.trim(), String(32 * 1024 * 1024));
  assert.deepEqual(loopsBelow(cluster.dataDir), [file]);

  await remove("pod/writes");
  await eventually("no loop device is left", async () => loopsBelow(cluster.dataDir).length === 0);
  await cluster.apply(
    podWith(
      "reads",
      "raw",
      "head -c 4 /dev/disk; ! dd if=/dev/zero of=/dev/disk count=1 conv=notrunc",
      device,
      { readOnly: true },
    ),
  );
  await succeeded("reads");
  assert.match(await cluster.kubectl(["logs", "reads"]), /^kept/);
  await remove("pod/reads", "pvc/raw");
  await cluster.wait(`pv/${spec.volumeName}`, "delete");
  await eventually("no loop device is left", async () => loopsBelow(cluster.dataDir).length === 0);
});

test("a local volume on a block device gets a file system, which pods share and the node unmounts with the last", async () => {
  const file = join(hostDir, "disk.img");
  writeFileSync(file, "");
  truncateSync(file, 16 * 1024 * 1024);
  const loop = execFileSync("losetup", ["--find", "--show", file], { encoding: "utf8" }).trim();
  made.push(loop);
  const node = (await cluster.get("nodes")).items[0].metadata.name;
  await cluster.apply({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "disk" },
    spec: {
      capacity: { storage: "16Mi" },
      accessModes: ["ReadWriteOnce"],
      storageClassName: "disks",
      local: { path: loop },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
          ],
        },
      },
    },
  });
  await cluster.apply(claim("disk", { storageClassName: "disks" }));
  const mounted = { volumeMounts: [{ name: "disk", mountPath: "/data" }] };
  await cluster.apply(podWith("formats", "disk", "echo shared > /data/file && exec sleep 3600", mounted));
  await cluster.wait("pod/formats", "condition=Ready");
  await cluster.apply(
    podWith("joins", "disk", "cat /data/file; grep ' /data ' /proc/mounts", mounted, { readOnly: true }),
  );
  await succeeded("joins");
  assert.match(await cluster.kubectl(["logs", "joins"]), /^shared\n\/dev\/loop\d+ \/data ext4 ro,/);
  await remove("pod/formats", "pod/joins");
  const isMounted = () => readFileSync("/proc/self/mountinfo", "utf8").includes(` ${loop} `);
  await eventually("it is unmounted", async () => !isMounted());
  await remove("pvc/disk", "pv/disk");
  // What somebody else has made a device of stays one.
  assert.equal(loopFiles().includes(file), true);
});
