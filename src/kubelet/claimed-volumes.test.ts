import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { attachmentName, type corev1 } from "../api/index.ts";
import { SteppedClock } from "../base/index.ts";
import { filesSettled } from "./testing/files-settled.ts";
import { startNode, type TestNode } from "./testing/node.ts";

const dir = await mkdtemp(join(tmpdir(), "peapod-claimed-"));
after(() => rm(dir, { recursive: true, force: true }));

const isRunning = (pod: corev1.Pod) => pod.status?.containerStatuses?.[0]?.state?.running !== undefined;

interface Draft {
  claim?: object;
  claimMetadata?: object;
  claimStatus?: object;
  volume?: object;
}

/** A claim `data`, bound to a hostPath volume, and what is different about them. */
function put(
  node: TestNode,
  { claim = {}, claimMetadata = {}, claimStatus = {}, volume = {} }: Draft = {},
): void {
  node.api.put("persistentvolumeclaims", {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "default", uid: "claim-1", ...claimMetadata },
    spec: { accessModes: ["ReadWriteOnce"], volumeName: "pv", ...claim },
    status: { phase: "Bound", ...claimStatus },
  });
  node.api.put("persistentvolumes", {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "pv" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      claimRef: { namespace: "default", name: "data", uid: "claim-1" },
      hostPath: { path: dir, type: "Directory" },
      ...volume,
    },
  });
}

const spec = (source: object = { claimName: "data" }, container: object = {}) => ({
  name: "p",
  volumes: [{ name: "v", persistentVolumeClaim: source }] as corev1.Volume[],
  containers: [
    { name: "c", image: "i", volumeMounts: [{ name: "v", mountPath: "/data" }], ...container },
  ] as corev1.Container[],
});

test("a pod gets what its claim is bound to, read-only where it says so", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  put(node);
  node.bind(spec({ claimName: "data", readOnly: true }));
  await node.until("p", isRunning);
  const mount = node.runtime
    .configOf(node.runtime.find("c")!.id)
    .mounts.find(({ containerPath }) => containerPath === "/data")!;
  assert.equal(mount.hostPath, dir);
  assert.equal(mount.readOnly, true);
});

const at = "error processing PVC default/data: ";
const refusals: [what: string, draft: Draft | undefined, why: string, container?: object][] = [
  [
    "is not there",
    undefined,
    `${at}failed to fetch PVC from API server: persistentvolumeclaims "data" not found`,
  ],
  ["is not bound", { claimStatus: { phase: "Pending" } }, `${at}PVC is not bound`],
  [
    "is being deleted",
    { claimMetadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } },
    `${at}PVC is being deleted`,
  ],
  [
    "is bound to a volume that does not know of it",
    { volume: { claimRef: undefined } },
    `${at}found PV object pv but it has a nil pv.Spec.ClaimRef indicating it is not yet bound to the claim`,
  ],
  [
    "is not the one that its volume is bound to",
    { volume: { claimRef: { namespace: "default", name: "data", uid: "claim-0" } } },
    `${at}found PV object pv but its pv.Spec.ClaimRef.UID claim-0 does not point to claim.UID claim-1`,
  ],
  [
    "is a block device and is mounted",
    { claim: { volumeMode: "Block" }, volume: { volumeMode: "Block" } },
    "volume v has volumeMode Block, but is specified in volumeMounts",
  ],
  [
    "is a file system and is used as a device",
    {},
    "volume v has volumeMode Filesystem, but is specified in volumeDevices",
    { volumeMounts: [], volumeDevices: [{ name: "v", devicePath: "/dev/x" }] },
  ],
];

for (const [what, draft, why, container] of refusals)
  test(`a pod whose claim ${what} waits, and says why`, async () => {
    await using node = await startNode({ clock: new SteppedClock() });
    if (draft) put(node, draft);
    node.bind(spec(undefined, container));
    const told = await node.eventually("it is told", () =>
      node.seen.find(({ reason }) => reason === "FailedMount"),
    );
    assert.equal(
      told.message,
      `Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: ${why}`,
    );
    const pod = await node.until("p", ({ status }) => status?.podIP !== undefined);
    assert.equal(pod.status!.containerStatuses![0]!.state!.waiting!.reason, "ContainerCreating");
  });

test("a pod that was held back by its claim starts once that is bound", async () => {
  const clock = new SteppedClock();
  await using node = await startNode({ clock });
  put(node, { claimStatus: { phase: "Pending" } });
  node.bind(spec());
  await node.eventually("it is told", () => node.seen.find(({ reason }) => reason === "FailedMount"));
  put(node);
  await clock.step(1_000);
  await node.until("p", isRunning);
});

test("a volume of a type that no node mounts is named in the event", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  put(node, { volume: { hostPath: undefined, iscsi: { targetPortal: "127.0.0.1", iqn: "iqn", lun: 0 } } });
  node.bind(spec());
  const told = await node.eventually("it is told", () =>
    node.seen.find(({ reason }) => reason === "FailedMount"),
  );
  assert.equal(
    told.message,
    'MountVolume.SetUp failed for volume "pv" : volume type iscsi is not supported on this node',
  );
});

test("a claim that no container uses holds nothing up", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  node.bind(spec({ claimName: "nowhere" }, { volumeMounts: [] }));
  await node.until("p", isRunning);
});

test("the group that a volume asks for is its pod's", async () => {
  await using node = await startNode({ clock: new SteppedClock() });
  put(node);
  const volume = node.api.get("persistentvolumes", undefined, "pv");
  node.api.put("persistentvolumes", {
    ...volume,
    metadata: { ...volume.metadata, annotations: { "pv.beta.kubernetes.io/gid": "777" } },
  });
  node.bind(spec());
  await node.until("p", isRunning);
  const { linux } = node.runtime.configOf(node.runtime.find("c")!.id);
  assert.deepEqual(linux.security.supplementalGroups, [777]);
});

/** A claim of a driver's volume, which the driver refuses to attach with a gRPC code. */
function putRefused(node: TestNode, errorCode: number, driver: object): void {
  const storage = { apiVersion: "storage.k8s.io/v1" };
  put(node, { volume: { hostPath: undefined, csi: { driver: "d.test", volumeHandle: "h" } } });
  node.api.put("csidrivers", { ...storage, kind: "CSIDriver", metadata: { name: "d.test" }, spec: driver });
  node.api.put("volumeattachments", {
    ...storage,
    kind: "VolumeAttachment",
    metadata: { name: attachmentName("h", "d.test", "node-1") },
    spec: { attacher: "d.test", nodeName: "node-1", source: { persistentVolumeName: "pv" } },
    status: { attached: false, attachError: { message: "no free slot", errorCode } },
  });
}
const resourceExhausted = 8;
const changes = { nodeAllocatableUpdatePeriodSeconds: 10 };

test("a pod fails whose volume the node is too full to attach, once it has waited as long as upstream", async () => {
  const clock = new SteppedClock();
  await using node = await startNode({ clock });
  putRefused(node, resourceExhausted, changes);
  node.bind(spec());
  await node.eventually("it is tried", () => node.seen.find(({ reason }) => reason === "FailedMount"));
  await clock.step(122_000);
  await filesSettled();
  assert.equal(node.pod("p")!.status!.phase, "Pending");
  await clock.step(10_000);
  const { status } = await node.until("p", ({ status }) => status?.phase === "Failed");
  assert.equal(status!.reason, "VolumeAttachmentLimitExceeded");
  const why =
    "Node has reached its volume attachment limit, rejecting pod. unmounted volumes=[v], unattached volumes=[v], failed to process volumes=[]: context deadline exceeded";
  assert.equal(status!.message, `Pod was rejected: ${why}`);
  const told = node.seen.find(({ reason }) => reason === status!.reason);
  assert.deepEqual([told!.type, told!.message], ["Warning", why]);
});

for (const [what, errorCode, driver] of [
  ["that is refused for another reason", 13, changes],
  ["of a driver whose limits do not change", resourceExhausted, {}],
] as const)
  test(`a pod waits for a volume ${what}`, async () => {
    const clock = new SteppedClock();
    await using node = await startNode({ clock });
    putRefused(node, errorCode, driver);
    node.bind(spec());
    await node.eventually("it is tried", () => node.seen.find(({ reason }) => reason === "FailedMount"));
    await clock.step(300_000);
    await filesSettled();
    assert.equal(node.pod("p")!.status!.phase, "Pending");
  });
