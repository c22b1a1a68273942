import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../machinery/index.ts";
import type { storagev1 } from "../../index.ts";
import { decoded, errorsOf, kindNamed, updateErrorsOf } from "../../kind.suite.ts";

function cells(kindName: string, content: object): unknown[] {
  const object = decoded(kindName, content);
  return kindNamed(kindName).columns.map((column) => column.value(object, 0));
}

test("a CSI driver is one of persistent volumes that are attached, unless it says otherwise", () => {
  const { spec } = decoded<storagev1.CSIDriver & KubeObject>("CSIDriver", { spec: {} });
  assert.deepEqual(spec, {
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: "ReadWriteOnceWithFSType",
    volumeLifecycleModes: ["Persistent"],
    requiresRepublish: false,
    seLinuxMount: false,
  });
  assert.deepEqual(errorsOf("CSIDriver", { spec: {} }), []);
});

test("what a CSI driver cannot ask for is told, all at once", () => {
  const spec = {
    fsGroupPolicy: "Sometimes",
    volumeLifecycleModes: ["Persistent", "Eternal"],
    tokenRequests: [
      { audience: "a", expirationSeconds: 5 },
      { audience: "b", expirationSeconds: 2 ** 33 },
      { audience: "a" },
    ],
    nodeAllocatableUpdatePeriodSeconds: 9,
  };
  assert.deepEqual(errorsOf("CSIDriver", { spec }), [
    'spec.fsGroupPolicy: Unsupported value: "Sometimes": supported values: "File", "None", "ReadWriteOnceWithFSType"',
    "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
    "spec.tokenRequests[1].expirationSeconds: Invalid value: 8589934592: may not specify a duration larger than 2^32 seconds",
    'spec.tokenRequests[2].audience: Duplicate value: "a"',
    'spec.volumeLifecycleModes: Unsupported value: "Eternal": supported values: "Persistent", "Ephemeral"',
    "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds",
  ]);
  assert.deepEqual(errorsOf("CSIDriver", { spec: { serviceAccountTokenInSecrets: true } }), [
    "spec.serviceAccountTokenInSecrets: Invalid value: true: serviceAccountTokenInSecrets is set but no tokenRequests are specified",
  ]);
});

test("a CSI driver's way of attaching and its kinds of volumes stay; the rest may change", () => {
  const before = { spec: { attachRequired: true } };
  assert.deepEqual(updateErrorsOf("CSIDriver", before, { spec: { podInfoOnMount: true } }), []);
  assert.deepEqual(
    updateErrorsOf("CSIDriver", before, {
      spec: { attachRequired: false, volumeLifecycleModes: ["Ephemeral"] },
    }),
    [
      "spec.attachedRequired: Invalid value: false: field is immutable",
      'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
    ],
  );
});

test("tokens in a volume's context are warned of, once for each change of them", () => {
  const { strategy } = kindNamed("CSIDriver");
  const asks = decoded<KubeObject>("CSIDriver", { spec: { tokenRequests: [{ audience: "a" }] } });
  assert.match(strategy.warnings!(asks, undefined)[0]!, /serviceAccountTokenInSecrets is unset/);
  assert.deepEqual(strategy.warnings!(asks, asks), []);
});

test("a CSI driver shows how it is used", () => {
  const spec = { tokenRequests: [{ audience: "a" }, { audience: "b" }], volumeLifecycleModes: ["Ephemeral"] };
  assert.deepEqual(cells("CSIDriver", { spec }).slice(0, -1), [
    ...["x", true, false, false],
    ...["a,b", false, "Ephemeral"],
  ]);
  assert.deepEqual(cells("CSIDriver", { spec: {} })[4], "<unset>");
});

test("a node's CSI drivers have names, ids and topology keys; a registered one changes only its limit", () => {
  const driver = { name: "Disk.example.com", nodeID: "n1", topologyKeys: ["example.com/zone"] };
  const spec = { drivers: [driver] };
  assert.deepEqual(errorsOf("CSINode", { spec }), []);
  assert.deepEqual(cells("CSINode", { spec }).slice(0, 2), ["x", 1]);
  const wrong = [
    { name: "", nodeID: "", topologyKeys: ["a", "a", "no key"] },
    { name: "a_b", nodeID: "x".repeat(257), allocatable: { count: -1 } },
  ];
  const errors = errorsOf("CSINode", { spec: { drivers: wrong } });
  for (const start of [
    "spec.drivers[0].name: Required value",
    "spec.drivers[0].nodeID: Required value",
    'spec.drivers[0]: Duplicate value: "a"',
    'spec.drivers[0]: Invalid value: "no key": name part must consist',
    'spec.drivers[1].name: Invalid value: "a_b": a lowercase RFC 1123 subdomain',
    `spec.drivers[1].nodeID: Invalid value: "${"x".repeat(257)}": must be 256 characters or less`,
    "spec.drivers[1].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
  ])
    assert.ok(
      errors.some((error) => error.startsWith(start)),
      `${start} in\n${errors.join("\n")}`,
    );
  assert.equal(errors.length, 7);
  const limited = { drivers: [{ ...driver, allocatable: { count: 3 } }] };
  assert.deepEqual(updateErrorsOf("CSINode", { spec }, { spec: limited }), []);
  const moved = { drivers: [{ ...driver, nodeID: "n2" }] };
  assert.match(
    updateErrorsOf("CSINode", { spec }, { spec: moved })[0]!,
    /^spec.drivers: .*field is immutable$/,
  );
  assert.deepEqual(updateErrorsOf("CSINode", { spec }, { spec: { drivers: [] } }), []);
});

test("an attachment is of one volume and never changes; its status is the driver's", () => {
  const spec = { attacher: "disk.example.com", nodeName: "n1", source: { persistentVolumeName: "pv-1" } };
  const attachment = decoded<KubeObject>("VolumeAttachment", { spec, status: { attached: true } });
  const { strategy } = kindNamed("VolumeAttachment");
  strategy.prepareForCreate!(attachment, 0);
  assert.deepEqual(attachment.status, { attached: false });
  assert.deepEqual(strategy.validate(attachment), []);
  assert.deepEqual(cells("VolumeAttachment", { spec }).slice(0, -1), [
    ...["x", "disk.example.com", "pv-1", "n1", false],
  ]);
  assert.deepEqual(errorsOf("VolumeAttachment", { spec: { ...spec, source: {} } }), [
    "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
  ]);
  assert.deepEqual(
    errorsOf("VolumeAttachment", {
      spec,
      status: { attached: false, attachError: { message: "x".repeat(1025), errorCode: -1 } },
    }),
    [
      "status.attachError.message: Too long: may not be more than 262144 bytes",
      "status.attachError.errorCode: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ],
  );
  assert.match(
    updateErrorsOf("VolumeAttachment", { spec }, { spec: { ...spec, nodeName: "n2" } })[0]!,
    /^spec: Invalid value: .*: field is immutable$/,
  );
});

test("a storage capacity is of one class in one part of the cluster", () => {
  const capacity = {
    metadata: { namespace: "default" },
    storageClassName: "fast",
    nodeTopology: { matchLabels: { zone: "a" } },
    capacity: "10Gi",
  };
  assert.deepEqual(errorsOf("CSIStorageCapacity", capacity), []);
  assert.deepEqual(cells("CSIStorageCapacity", capacity), ["x", "fast", "10Gi"]);
  assert.deepEqual(cells("CSIStorageCapacity", { storageClassName: "fast" })[2], "<unset>");
  assert.deepEqual(
    errorsOf("CSIStorageCapacity", { ...capacity, storageClassName: "f_", capacity: "-1" }).map(
      (error) => error.split(":")[0],
    ),
    ["storageClassName", "capacity"],
  );
  assert.deepEqual(
    updateErrorsOf("CSIStorageCapacity", capacity, { ...capacity, capacity: "1", maximumVolumeSize: "1" }),
    [],
  );
  assert.deepEqual(
    updateErrorsOf("CSIStorageCapacity", capacity, { ...capacity, storageClassName: "slow" }),
    ['storageClassName: Invalid value: "slow": field is immutable'],
  );
});
