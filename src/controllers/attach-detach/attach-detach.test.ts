import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { attachmentName, type storagev1, uniqueVolumeName } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import { controllersOn, type Running } from "../running.suite.ts";
import { AttachDetachController } from "./attach-detach.ts";

const storage = "storage.k8s.io/v1";
const unique = uniqueVolumeName("d.test", "h");
let running: Running;

/** Wishes of somebody else's, for the same volume and for one that is not there. */
const strangers = ["pv", "pv-none"];

before(async () => {
  running = await controllersOn((context) => [new AttachDetachController(context)]);
  for (const name of ["a", "b"]) {
    await running.create({ apiVersion: "v1", kind: "Node", metadata: { name } } as KubeObject);
    const conditions = [{ type: "Ready", status: "True" }];
    await running.patchStatus("v1", "nodes", name, { conditions });
  }
  await claimed("claim", "pv");
  for (const persistentVolumeName of strangers)
    await running.create({
      apiVersion: storage,
      kind: "VolumeAttachment",
      metadata: { name: `va-of-${persistentVolumeName}` },
      spec: { attacher: "e2e.test", nodeName: "b", source: { persistentVolumeName } },
    } as KubeObject);
});
after(() => running?.close());

/** A persistent volume that stands for the driver's, and its claim. */
async function claimed(name: string, volumeName: string): Promise<void> {
  await running.create({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: volumeName },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      csi: { driver: "d.test", volumeHandle: "h" },
    },
  } as KubeObject);
  await running.create({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "",
      volumeName,
      resources: { requests: { storage: "1Gi" } },
    },
  } as KubeObject);
}

const podOn = (name: string, nodeName: string, claimName = "claim") =>
  running.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      nodeName,
      containers: [{ name: "c", image: "i" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName } }],
    },
  } as KubeObject);
const removePod = (name: string) =>
  running.admin.request({
    ...{
      verb: "delete",
      resource: { group: "", version: "v1", resource: "pods" },
      namespace: "default",
      name,
    },
    options: { gracePeriodSeconds: 0 },
  });
const attachmentTo = (node: string, is: (found: storagev1.VolumeAttachment) => boolean = () => true) =>
  running.until<storagev1.VolumeAttachment & KubeObject>(
    storage,
    "volumeattachments",
    attachmentName("h", "d.test", node),
    is,
  );
const attach = (node: string) =>
  running.patchStatus(storage, "volumeattachments", attachmentName("h", "d.test", node), { attached: true });
const untilNode = (name: string, has: string[]) =>
  running.until("v1", "nodes", name, ({ status }) => {
    const names = (status?.volumesAttached ?? []).map((each: { name: string }) => each.name);
    return JSON.stringify(names) === JSON.stringify(has);
  });

test("a volume is attached for its pod, and the node learns of it when the driver has", async () => {
  await podOn("one", "a");
  const { spec } = await attachmentTo("a");
  assert.deepEqual(spec, { attacher: "d.test", nodeName: "a", source: { persistentVolumeName: "pv" } });
  await attach("a");
  await untilNode("a", [unique]);
  assert.ok(
    running.told.includes('one SuccessfulAttachVolume: AttachVolume.Attach succeeded for volume "pv" '),
  );
});

test("a second node waits while the first has it, is told who has it, and gets it when that is over", async () => {
  await running.patchStatus("v1", "nodes", "a", { volumesInUse: [unique] });
  await podOn("two", "b");
  await new Promise<void>((resolve) => {
    const look = () => {
      const text =
        'two FailedAttachVolume: Multi-Attach error for volume "pv" Volume is already used by pod(s) one';
      if (running.told.includes(text)) resolve();
      else setImmediate(look);
    };
    look();
  });
  await removePod("one");
  // The node has it mounted: nothing is taken from under it.
  await running.until("v1", "nodes", "a", ({ status }) => status?.volumesInUse?.length === 1);
  assert.equal((await attachmentTo("a")).metadata.deletionTimestamp, undefined);
  await running.patchStatus("v1", "nodes", "a", { volumesInUse: [] });
  await untilNode("a", []);
  await running.gone(storage, "volumeattachments", attachmentName("h", "d.test", "a"));
  await attachmentTo("b");
  await attach("b");
  await untilNode("b", [unique]);
});

test("what stands for the same volume has it attached once it is detached for the other", async () => {
  await claimed("twin-claim", "twin");
  await podOn("three", "b", "twin-claim");
  await removePod("two");
  await attachmentTo("b", ({ spec }) => spec.source.persistentVolumeName === "twin");
  await attach("b");
  await untilNode("b", [unique]);
});

test("attachments that others have made are left alone", async () => {
  for (const name of strangers) {
    const found = await running.get(storage, "volumeattachments", `va-of-${name}`);
    assert.equal(found.metadata.deletionTimestamp, undefined);
  }
});

test("a driver that does not attach has nothing attached", async () => {
  await running.create({
    apiVersion: storage,
    kind: "CSIDriver",
    metadata: { name: "d.test" },
    spec: { attachRequired: false },
  } as KubeObject);
  await running.gone(storage, "volumeattachments", attachmentName("h", "d.test", "b"));
});
