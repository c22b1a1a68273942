import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { busyboxPod, eventually, TestCluster } from "./support/cluster.ts";
import { DriverProcess } from "./support/csi/driver-process.ts";
import { Sidecars } from "./support/csi/sidecars.ts";

const name = "disk.csi.test";
let cluster: TestCluster;
let driver: DriverProcess;
let sidecars: Sidecars | undefined;
let kubelet: string;
before(async () => {
  cluster = await TestCluster.start();
  kubelet = join(cluster.dataDir, "kubelet");
  driver = DriverProcess.of(kubelet, { name, stateDir: join(cluster.dataDir, "csi") });
  await driver.start();
  const storage = { apiVersion: "storage.k8s.io/v1" };
  await cluster.apply({ ...storage, kind: "CSIDriver", metadata: { name }, spec: {} });
  await cluster.apply({
    ...storage,
    kind: "StorageClass",
    metadata: { name: "disk" },
    provisioner: name,
    parameters: { secret: "stage", tier: "gold" },
    mountOptions: ["noatime"],
    allowVolumeExpansion: true,
    volumeBindingMode: "WaitForFirstConsumer",
  });
  await cluster.kubectl(["create", "secret", "generic", "stage", "--from-literal=pass=word"]);
  sidecars = new Sidecars(cluster, driver);
  await sidecars.start();
});
after(async () => {
  await sidecars?.[Symbol.asyncDispose]();
  await driver?.stop();
  await cluster?.purge();
});

const claim = (claimName: string, spec: object = {}) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: claimName },
  spec: {
    storageClassName: "disk",
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "4Mi" } },
    ...spec,
  },
});
const claimPod = (pod: string, claimName: string, script = "exec sleep 3600", change: object = {}) =>
  busyboxPod(pod, undefined, {
    volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
    containers: [
      {
        name: "main",
        image: "busybox",
        command: ["sh", "-c", script],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
    ],
    ...change,
  });
const mounts = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .filter((line) => line.includes("kubernetes.io") && line.includes(cluster.dataDir) && /csi/.test(line));
const staged = () => {
  const folder = join(kubelet, "plugins/kubernetes.io/csi", name);
  return existsSync(folder) ? readdirSync(folder) : [];
};
const calls = (method: string) => driver.calls(method).length;
/** Resolves when all but the node's part is done. */
async function enlarge(claimName: string, storage: string): Promise<void> {
  const patch = JSON.stringify({ spec: { resources: { requests: { storage } } } });
  await cluster.kubectl(["patch", "pvc", claimName, "--type=merge", "-p", patch]);
  await eventually("it is up to the node", async () => {
    const { status } = await cluster.get("pvc", claimName);
    const isPending = status.allocatedResourceStatuses?.storage === "NodeResizePending";
    return isPending && status.allocatedResources.storage === storage;
  });
}
const detached = () =>
  eventually("it is detached", async () => (await cluster.get("volumeattachments")).items.length === 0);
const nodeStatus = async () => (await cluster.get("nodes")).items[0].status;

test("a claim of a driver's class is provisioned, attached, staged, published, and given to its pod", async () => {
  await cluster.apply(claim("first"));
  await cluster.apply(claimPod("writer", "first", "echo kept > /data/file; exec sleep 3600"));
  await cluster.wait("pod/writer", "condition=Ready");
  const [attachment] = (await cluster.get("volumeattachments")).items;
  const { spec } = await cluster.get("pvc", "first");
  assert.equal(attachment.spec.source.persistentVolumeName, spec.volumeName);
  assert.equal(attachment.status.attached, true);
  const unique = `kubernetes.io/csi/${name}^vol-${spec.volumeName}`;
  const { volumesAttached, volumesInUse } = await nodeStatus();
  assert.deepEqual(volumesAttached, [{ name: unique, devicePath: "" }]);
  assert.deepEqual(volumesInUse, [unique]);
  const stage = driver.calls("NodeStageVolume").at(-1)!.request;
  assert.deepEqual(stage.secrets, { pass: "word" });
  assert.deepEqual(stage.publishContext, { attachedTo: "node-of-driver" });
  assert.deepEqual(stage.volumeContext, { secret: "stage", tier: "gold" });
  assert.deepEqual(stage.volumeCapability, {
    block: null,
    mount: { fsType: "ext4", mountFlags: ["noatime"], volumeMountGroup: "" },
    accessMode: { mode: "SINGLE_NODE_WRITER" },
  });
  const publish = driver.calls("NodePublishVolume").at(-1)!.request;
  assert.equal(publish.stagingTargetPath, stage.stagingTargetPath);
  assert.deepEqual(publish.publishContext, { attachedTo: "node-of-driver" });
  const described = await cluster.kubectl(["describe", "pod", "writer"]);
  assert.match(described, /SuccessfulAttachVolume .*AttachVolume.Attach succeeded for volume "pvc-/);
  assert.doesNotMatch(described, /FailedMount/);
  // What is used of it is told by the driver.
  const node = (await cluster.get("nodes")).items[0].metadata.name;
  const summary = await cluster.kubectl(["get", "--raw", `/api/v1/nodes/${node}/proxy/stats/summary`]);
  const { volume } = JSON.parse(summary).pods.find((pod: any) => pod.podRef.name === "writer");
  const used = volume.find((each: any) => each.pvcRef?.name === "first");
  assert.deepEqual([used.name, used.pvcRef.namespace], ["data", "default"]);
  assert.ok(used.capacityBytes > 0 && used.availableBytes > 0, JSON.stringify(used));
  assert.match(driver.calls("NodeGetVolumeStats")[0]!.request.volumePath, /\/mount$/);
  const metrics = await cluster.kubectl(["get", "--raw", `/api/v1/nodes/${node}/proxy/metrics`]);
  const labels = 'namespace="default",persistentvolumeclaim="first"';
  assert.ok(metrics.includes(`kubelet_volume_stats_capacity_bytes{${labels}} `), metrics);
});

test("a second pod on the node shares what is staged; the last one takes it down, also under another agent", async () => {
  await cluster.apply(claimPod("reader", "first", "cat /data/file; exec sleep 3600"));
  await cluster.wait("pod/reader", "condition=Ready");
  assert.equal(await cluster.kubectl(["logs", "reader"]), "kept\n");
  assert.equal(driver.calls("NodeStageVolume").length, 1);
  await cluster.kubectl(["delete", "pod", "writer"]);
  assert.deepEqual(driver.calls("NodeUnstageVolume"), []);
  await cluster.kill();
  await cluster.up();
  assert.equal(await cluster.kubectl(["exec", "reader", "--", "cat", "/data/file"]), "kept\n");
  await cluster.kubectl(["delete", "pod", "reader"]);
  await eventually("nothing is staged", async () => staged().length === 0);
  assert.equal(calls("NodeUnstageVolume"), 1);
  assert.deepEqual(mounts(), []);
  await detached();
  await eventually("the node's status says so", async () => {
    const { volumesAttached = [], volumesInUse = [] } = await nodeStatus();
    return volumesAttached.length === 0 && volumesInUse.length === 0;
  });
  assert.equal(driver.calls("ControllerUnpublishVolume").length, 1);
});

test("what an agent staged that was killed in the middle is taken down when the driver comes back", async () => {
  driver.fault("NodePublishVolume", "hang");
  const before = calls("NodePublishVolume");
  await cluster.apply(claimPod("cut", "first"));
  await eventually("it is staged", async () => calls("NodePublishVolume") > before);
  await cluster.kill();
  await driver.kill();
  driver.fault("NodePublishVolume", undefined);
  await cluster.up();
  await cluster.kubectl(["delete", "pod", "cut", "--wait=false"]);
  await driver.start();
  await cluster.wait("pod/cut", "delete");
  await eventually("nothing is staged", async () => staged().length === 0);
  assert.deepEqual(mounts(), []);
  await detached();
});

test("a driver that cannot attach is told as an event, with its words, until it can", async () => {
  driver.fault("ControllerPublishVolume", "13 no free slot");
  await cluster.apply(claimPod("unattached", "first"));
  await eventually("it is told", async () =>
    /FailedAttachVolume .*AttachVolume.Attach failed for volume "pvc-.*" : .*no free slot/.test(
      await cluster.kubectl(["describe", "pod", "unattached"]),
    ),
  );
  assert.deepEqual((await nodeStatus()).volumesAttached ?? [], []);
  driver.fault("ControllerPublishVolume", undefined);
  await cluster.wait("pod/unattached", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "unattached"]);
});

test("a pod whose driver hangs while it stages goes, and what may have been staged is undone", async () => {
  driver.fault("NodeStageVolume", "hang");
  const [staging, unstaging] = ["NodeStageVolume", "NodeUnstageVolume"].map(calls);
  await cluster.apply(claimPod("stages", "first"));
  await eventually("it is asked", async () => driver.calls("NodeStageVolume").length > staging!);
  await cluster.kubectl(["delete", "pod", "stages"]);
  driver.fault("NodeStageVolume", undefined);
  await eventually("nothing is staged", async () => staged().length === 0);
  assert.equal(calls("NodeUnstageVolume"), unstaging! + 1);
});

for (const [how, fault] of [
  ["refuses to", "3 fake final error"],
  ["does not get round to", "4 fake transient error"],
] as const)
  test(`a pod leaves a driver that ${how} unstage its volume, and the next one has it staged anew`, async () => {
    driver.fault("NodeUnstageVolume", fault);
    const [staging, unstaging] = ["NodeStageVolume", "NodeUnstageVolume"].map(calls);
    for (const [i, pod] of ["leaves", "follows"].entries()) {
      await cluster.apply(claimPod(pod, "first"));
      await cluster.wait(`pod/${pod}`, "condition=Ready");
      assert.equal(calls("NodeStageVolume"), staging! + i + 1);
      if (i === 1) driver.fault("NodeUnstageVolume", undefined);
      await cluster.kubectl(["delete", "pod", pod]);
      await eventually("the driver is asked", async () => calls("NodeUnstageVolume") > unstaging! + i);
      // What is staged is not detached.
      if (i === 0) assert.equal((await nodeStatus()).volumesInUse.length, 1);
    }
    await eventually("nothing is staged", async () => staged().length === 0);
    await eventually("it is detached", async () => !(await nodeStatus()).volumesInUse?.length);
  });

test("a volume that is made larger grows on its node, and its claim says so when it has", async () => {
  await cluster.apply(claimPod("grows", "first"));
  await cluster.wait("pod/grows", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "grows"]);
  await enlarge("first", "8Mi");
  assert.equal((await cluster.get("pvc", "first")).status.capacity.storage, "4Mi");
  driver.fault("NodeExpandVolume", "13 not that large");
  await cluster.apply(claimPod("grown", "first"));
  await eventually("it is told", async () =>
    /VolumeResizeFailed .*not that large/.test(await cluster.kubectl(["describe", "pod", "grown"])),
  );
  const told = /NodeResizeError +True .*failed to expand pvc with rpc error: code = Internal desc = not that/;
  assert.match(await cluster.kubectl(["describe", "pvc", "first"]), told);
  driver.fault("NodeExpandVolume", undefined);
  await cluster.wait("pod/grown", "condition=Ready");
  const { request } = driver.calls("NodeExpandVolume").at(-1)!;
  assert.equal(request.capacityRange.requiredBytes, 8 << 20);
  assert.match(request.volumePath, /kubernetes.io~csi\/pvc-.*\/mount$/);
  const { status } = await cluster.get("pvc", "first");
  assert.equal(status.capacity.storage, "8Mi");
  assert.deepEqual(status.conditions ?? [], []);
  assert.equal(status.allocatedResourceStatuses, undefined);
  for (const object of ["pod/grown", "pvc/first"])
    assert.match(
      await cluster.kubectl(["describe", object]),
      /FileSystemResizeSuccessful .*MountVolume.NodeExpandVolume succeeded for volume "pvc-/,
    );
  await cluster.kubectl(["delete", "pod", "grown"]);
});

test("a size that the node cannot give is told in the claim, and holds no pod up for long", async () => {
  await enlarge("first", "12Mi");
  driver.fault("NodeExpandVolume", "9 not while it is in use");
  await cluster.apply(claimPod("in-use", "first"));
  await cluster.wait("pod/in-use", "condition=Ready");
  await cluster.kubectl(["delete", "pod", "in-use"]);
  driver.fault("NodeExpandVolume", "11 too large");
  await cluster.apply(claimPod("as-it-was", "first"));
  await cluster.wait("pod/as-it-was", "condition=Ready");
  const { status } = await cluster.get("pvc", "first");
  assert.equal(status.capacity.storage, "8Mi");
  assert.deepEqual(status.allocatedResourceStatuses, { storage: "NodeResizeInfeasible" });
  assert.ok(status.conditions.some(({ type }: { type: string }) => type === "NodeResizeError"));
  driver.fault("NodeExpandVolume", undefined);
  await cluster.kubectl(["delete", "pod", "as-it-was"]);
});

test("a raw block volume is its pod's device, and leaves no loop device when the pod goes", async () => {
  await cluster.apply(claim("raw", { volumeMode: "Block" }));
  const devices = [{ name: "data", devicePath: "/dev/xvda" }];
  const script = "printf kept | dd of=/dev/xvda conv=notrunc 2>/dev/null; exec sleep 3600";
  const container = { name: "main", image: "busybox", command: ["sh", "-c", script], volumeDevices: devices };
  await cluster.apply(claimPod("block", "raw", "", { containers: [container] }));
  await cluster.wait("pod/block", "condition=Ready");
  const { spec } = await cluster.get("pvc", "raw");
  const read = "test -b /dev/xvda && dd if=/dev/xvda bs=4 count=1 2>/dev/null";
  await eventually(
    "it is written",
    async () => (await cluster.kubectl(["exec", "block", "--", "sh", "-c", read])) === "kept",
  );
  const folder = join(kubelet, "plugins/kubernetes.io/csi/volumeDevices");
  const { uid } = (await cluster.get("pod", "block")).metadata;
  const publish = driver.calls("NodePublishVolume").at(-1)!.request;
  assert.equal(publish.targetPath, join(folder, "publish", spec.volumeName, uid));
  assert.equal(publish.stagingTargetPath, join(folder, "staging", spec.volumeName));
  assert.deepEqual(publish.volumeCapability.block, {});
  await cluster.kill();
  await cluster.up();
  await cluster.kubectl(["delete", "pod", "block"]);
  await eventually("nothing is staged", async () => readdirSync(join(folder, "staging")).length === 0);
  assert.deepEqual(readdirSync(join(folder, "publish")), []);
  assert.deepEqual(mounts(), []);
  await enlarge("raw", "8Mi");
  await cluster.apply(claimPod("larger", "raw", "", { containers: [container] }));
  await cluster.wait("pod/larger", "condition=Ready");
  const { request } = driver.calls("NodeExpandVolume").at(-1)!;
  assert.match(request.volumePath, /volumeDevices\/publish\/pvc-/);
  assert.equal((await cluster.get("pvc", "raw")).status.capacity.storage, "8Mi");
  await cluster.kubectl(["delete", "pod", "larger"]);
  await eventually("nothing is staged", async () => readdirSync(join(folder, "staging")).length === 0);
  // One that anybody on the machine looks at just then goes when they have seen it.
  await eventually("no loop device is left", async () => {
    const loops = execFileSync("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
    return !loops.includes(cluster.dataDir);
  });
  await detached();
  await cluster.kubectl(["delete", "pvc", "raw"]);
});

test("a driver that is found not to attach has its pods started without, and what was attached is detached", async () => {
  const driverObject = (spec: object) => ({
    ...{ apiVersion: "storage.k8s.io/v1", kind: "CSIDriver", metadata: { name } },
    spec,
  });
  driver.fault("ControllerPublishVolume", "13 no free slot");
  await cluster.apply(claimPod("plain", "first"));
  await eventually("it is to be attached", async () => (await nodeStatus()).volumesInUse?.length === 1);
  // How it is used is said once and for all.
  await cluster.kubectl(["delete", "csidriver", name]);
  await cluster.apply(driverObject({ attachRequired: false }));
  await cluster.wait("pod/plain", "condition=Ready");
  await detached();
  assert.equal((await nodeStatus()).volumesInUse?.length ?? 0, 0);
  driver.fault("ControllerPublishVolume", undefined);
  await cluster.kubectl(["delete", "pod", "plain"]);
  await cluster.kubectl(["delete", "csidriver", name]);
  await cluster.apply(driverObject({}));
});

test("a volume goes with its claim, and the driver deletes it", async () => {
  const { spec } = await cluster.get("pvc", "first");
  await cluster.kubectl(["delete", "pvc", "first"]);
  await eventually(
    "it is gone",
    async () => (await cluster.try(["get", "pv", spec.volumeName])).exitCode !== 0,
  );
  const deleted = driver.calls("DeleteVolume").map(({ request }) => request.volumeId);
  assert.ok(deleted.includes(`vol-${spec.volumeName}`));
});
