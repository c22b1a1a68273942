import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { attachmentName, type corev1, uniqueVolumeName } from "../../api/index.ts";
import { SteppedClock, silentLog } from "../../base/index.ts";
import { csiNodes, nodes } from "../../client/index.ts";
import { FakeApi } from "../testing/fake-api.ts";
import { accessModeOf } from "./csi-driver.ts";
import { type CsiVolume, handleOfInline, stagingFolder } from "./csi-volume.ts";
import { takesGroup } from "./driver-objects.ts";
import { CsiDrivers } from "./drivers.ts";
import { dueExpansion } from "./due-expansion.ts";
import { CsiNodeInfo } from "./node-info.ts";
import { NodeLimits } from "./node-limits.ts";
import { Recurring } from "./recurring.ts";
import { UntilDone } from "./until-done.ts";
import { loadVolumeData, removeMountPoint, saveVolumeData } from "./volume-data.ts";

test("access modes are CSI's; a driver that tells a node's writers apart is told how many there are", () => {
  const cases = [
    ["ReadWriteOnce", "SINGLE_NODE_WRITER", "SINGLE_NODE_MULTI_WRITER"],
    ["ReadWriteOncePod", "SINGLE_NODE_WRITER", "SINGLE_NODE_SINGLE_WRITER"],
    ["ReadOnlyMany", "MULTI_NODE_READER_ONLY", "MULTI_NODE_READER_ONLY"],
    ["ReadWriteMany", "MULTI_NODE_MULTI_WRITER", "MULTI_NODE_MULTI_WRITER"],
    ["Else", "UNKNOWN", "UNKNOWN"],
  ];
  for (const [mode, plain, apart] of cases) {
    assert.equal(accessModeOf(mode!, "one writer"), plain, mode);
    assert.equal(accessModeOf(mode!, "tells writers apart"), apart, mode);
  }
});

test("an fsGroup is the node's business by the driver's policy, the volume's type and its writers", () => {
  const volume = (change: object = {}): CsiVolume => ({
    ...{ driver: "d", handle: "h", mode: "Persistent", readOnly: false, attributes: {} },
    use: { kind: "mount", accessMode: "ReadWriteOnce", fsType: "ext4" },
    accessModes: ["ReadWriteOnce"],
    ...change,
  });
  const untyped = { use: { kind: "mount", accessMode: "ReadWriteOnce" } };
  const cases: [policy: string | undefined, volume: CsiVolume, takes: boolean][] = [
    [undefined, volume(), true],
    [undefined, volume(untyped), false],
    [undefined, volume({ accessModes: ["ReadWriteMany"] }), false],
    [undefined, volume({ accessModes: ["ReadWriteOncePod"] }), true],
    ["File", volume({ accessModes: ["ReadWriteMany"], ...untyped }), true],
    ["File", volume({ readOnly: true }), false],
    ["None", volume(), false],
    ["File", volume({ use: { kind: "block", accessMode: "ReadWriteOnce" } }), false],
  ];
  for (const [policy, of, takes] of cases)
    assert.equal(takesGroup(of, policy), takes, `${policy} ${JSON.stringify(of)}`);
});

test("a volume grows on its node once its resizer has done its part, or where it does not say", () => {
  const metadata = { name: "v" };
  const spec: corev1.PersistentVolumeClaimSpec = { accessModes: ["ReadWriteOnce"] };
  const claim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec } as const;
  const volume = { apiVersion: "v1", kind: "PersistentVolume", metadata } as const;
  const due = (status: object, storage = "2Gi") =>
    dueExpansion(
      { ...claim, status: { capacity: { storage: "1Gi" }, ...status } },
      { ...volume, spec: { capacity: { storage } } },
    );
  const allocatedResources = { storage: "3Gi" };
  const at = (storage: string) => ({ allocatedResources, allocatedResourceStatuses: { storage } });
  assert.equal(due({}, "1Gi"), undefined);
  assert.equal(due({ capacity: {} }), undefined);
  assert.deepEqual(due({}), { storage: "2Gi", isTracked: false });
  for (const progress of ["NodeResizePending", "NodeResizeInProgress"])
    assert.deepEqual(due(at(progress)), { storage: "3Gi", isTracked: true });
  for (const progress of ["ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInfeasible"])
    assert.equal(due(at(progress)), undefined, progress);
  assert.equal(due({ allocatedResources }), undefined);
});

test("names are upstream's, so that what one kubelet left another can take down", () => {
  assert.equal(
    handleOfInline("uid", "data"),
    "csi-23e443c711b5dad0801c2e0a90f2be6e56dc28a2472cb2e8d6f0ead23e8765e9",
  );
  assert.match(attachmentName("h", "d", "n"), /^csi-[0-9a-f]{64}$/);
  assert.equal(uniqueVolumeName("d.test", "h"), "kubernetes.io/csi/d.test^h");
  assert.equal(
    stagingFolder("/k/plugins", "d.test", "abc"),
    "/k/plugins/kubernetes.io/csi/d.test/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/globalmount",
  );
});

test("a driver registers with a version of CSI that is spoken here, and not over a newer one of its name", async () => {
  const drivers = new CsiDrivers({ clock: new SteppedClock(), timeoutMs: 1_000 });
  assert.throws(() => drivers.check("d.test", "/s", []), /empty list for supported versions/);
  assert.throws(() => drivers.check("d.test", "/s", ["0.3.0", "2.0.0"]), /\["0.3.0" "2.0.0"\] are supported/);
  drivers.check("d.test", "/s", ["1.1.0"]);
  await drivers.add("d.test", "/s", ["1.1.0"]);
  assert.throws(() => drivers.check("d.test", "/t", ["1.1.0"]), /already registered with a higher supported/);
  drivers.check("d.test", "/t", ["1.2.0"]);
  await assert.rejects(drivers.get("e.test"), /driver name e.test not found in the list of registered CSI/);
  assert.equal(drivers.remove("d.test", "/t"), false);
  assert.equal((await drivers.get("d.test")).endpoint, "/s");
  assert.equal(drivers.remove("d.test", "/s"), true);
});

test("a node's drivers are in its CSINode, its labels and its annotation, and leave them", async () => {
  const clock = new SteppedClock();
  const api = new FakeApi(clock);
  api.put("nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "n", labels: { zone: "a" } } });
  const info = new CsiNodeInfo({ transport: api, clock, nodeName: "n" });
  const node = async () =>
    (await api.request({ verb: "get", resource: nodes, name: "n" })).object as corev1.Node;
  const drivers = async () =>
    (await api.request({ verb: "get", resource: csiNodes, name: "n" })).object.spec.drivers;
  await info.initialize();
  assert.deepEqual(await drivers(), []);
  await info.install({ name: "d", nodeId: "id", volumesMax: 0, topology: { zone: "a", rack: "7" } });
  await info.install({ name: "e", nodeId: "ie", volumesMax: 3, topology: {} });
  assert.deepEqual(await drivers(), [
    { name: "d", nodeID: "id", topologyKeys: ["rack", "zone"] },
    { name: "e", nodeID: "ie", topologyKeys: [], allocatable: { count: 3 } },
  ]);
  const { labels, annotations } = (await node()).metadata;
  assert.equal(labels!["rack"], "7");
  assert.deepEqual(JSON.parse(annotations!["csi.volume.kubernetes.io/nodeid"]!), { d: "id", e: "ie" });
  await assert.rejects(
    info.install({ name: "f", nodeId: "if", volumesMax: 0, topology: { zone: "b" } }),
    /detected topology value collision: driver reported "zone":"b" but existing label is "zone":"a"/,
  );
  await assert.rejects(
    info.install({ name: "g", nodeId: "", volumesMax: 0, topology: {} }),
    /driverNodeID must not be empty/,
  );
  await info.uninstall("d");
  await info.uninstall("e");
  assert.deepEqual(await drivers(), []);
  assert.equal((await node()).metadata.annotations?.["csi.volume.kubernetes.io/nodeid"], undefined);
});

test("a volume that wants it is published again each minute, also after a failure, until it is taken down", async () => {
  const clock = new SteppedClock();
  const republisher = new Recurring({ clock, log: silentLog, failed: "not this time" });
  let published = 0;
  republisher.keep("/target", async () => {
    published++;
    if (published === 1) throw new Error("not now");
  });
  for (let minute = 1; minute <= 3; minute++) {
    await clock.step(60_000);
    assert.equal(published, minute);
  }
  republisher.drop("/target");
  await clock.step(120_000);
  assert.equal(published, 3);
});

test("what nobody waits for is tried until it succeeds, one at a time, and once more where that was asked meanwhile", async () => {
  const clock = new SteppedClock();
  const done = new UntilDone({ clock, log: silentLog, failed: "not this time" });
  let runs = 0;
  const work = async () => {
    if (++runs < 3) throw new Error("not yet");
  };
  done.start("k", work);
  await clock.step(0);
  assert.equal(runs, 1);
  await clock.step(499);
  assert.equal(runs, 1);
  await clock.step(1);
  assert.equal(runs, 2);
  await clock.step(1_000);
  assert.equal(runs, 3);
  done.start("k", work);
  done.start("k", work);
  await clock.step(0);
  assert.equal(runs, 5);
  runs = 0;
  done.start("k", work);
  await clock.step(0);
  done.close();
  await clock.step(60_000);
  assert.equal(runs, 1);
});

test("a driver is asked anew how many volumes the node can have, as often as its object says", async () => {
  const clock = new SteppedClock();
  const api = new FakeApi(clock);
  api.put("nodes", { apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  const nodeInfo = new CsiNodeInfo({ transport: api, clock, nodeName: "n" });
  let nodeAllocatableUpdatePeriodSeconds = 10;
  let changed = () => {};
  const objects = {
    spec: async () => ({ nodeAllocatableUpdatePeriodSeconds }),
    onChange: (listener: () => void) => {
      changed = listener;
      return () => {};
    },
  };
  const limits = new NodeLimits({ objects, nodeInfo, clock, log: silentLog });
  let maxVolumesPerNode = 3;
  let asked = 0;
  const driver = {
    name: "d",
    getInfo: async () => {
      asked++;
      return { nodeId: "id", maxVolumesPerNode, accessibleTopology: null };
    },
  };
  const count = async () => {
    const { object } = await api.request({ verb: "get", resource: csiNodes, name: "n" });
    return object.spec.drivers[0].allocatable.count;
  };
  await nodeInfo.tell(driver);
  limits.registered(driver);
  await clock.step(0);
  assert.equal(await count(), 3);
  maxVolumesPerNode = 2;
  await clock.step(10_000);
  assert.equal(await count(), 2);
  nodeAllocatableUpdatePeriodSeconds = 30;
  changed();
  await clock.step(0);
  maxVolumesPerNode = 5;
  await clock.step(29_000);
  assert.equal(await count(), 2);
  await clock.step(1_000);
  assert.equal(await count(), 5);
  // It has refused a volume.
  maxVolumesPerNode = 4;
  await limits.askNow("d");
  assert.equal(await count(), 4);
  await limits.askNow("e");
  limits.deregistered("d");
  await limits.askNow("d");
  await clock.step(60_000);
  assert.equal(asked, 4);
  limits.close();
});

test("what is known of a volume is kept beside it, and nothing that is in it is ever removed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "peapod-csi-data-"));
  try {
    assert.equal(await loadVolumeData(dir), undefined);
    await saveVolumeData(dir, { driverName: "d", volumeHandle: "h" });
    assert.deepEqual(await loadVolumeData(dir), { driverName: "d", volumeHandle: "h" });
    await mkdir(join(dir, "mount"));
    await writeFile(join(dir, "mount/precious"), "");
    await assert.rejects(removeMountPoint(join(dir, "mount")), /ENOTEMPTY/);
    assert.ok(await loadVolumeData(dir));
    await rm(join(dir, "mount/precious"));
    await removeMountPoint(join(dir, "mount"));
    await removeMountPoint(join(dir, "mount"));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
