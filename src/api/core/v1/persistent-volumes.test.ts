import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../machinery/index.ts";
import { decoded, errorsOf, kindNamed, lines, updateErrorsOf } from "../../kind.suite.ts";
import type { corev1 } from "../../types/index.ts";

type Volume = corev1.PersistentVolume & KubeObject;
type Claim = corev1.PersistentVolumeClaim & KubeObject;

const nowMs = Date.UTC(2026, 0, 1, 12);

const volumeWith = (spec: object = {}, status?: object) => ({
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: "/data" },
    ...spec,
  },
  ...(status && { status }),
});
const claimWith = (spec: object = {}, rest: object = {}) => ({
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
  ...rest,
});

/** Cells by column name. */
function cells(kindName: string, content: object): Record<string, unknown> {
  const object = decoded(kindName, content);
  return Object.fromEntries(
    kindNamed(kindName).columns.map((column) => [column.name, column.value(object, nowMs)]),
  );
}

const warningsOf = (kindName: string, content: object) =>
  kindNamed(kindName).strategy.warnings!(decoded(kindName, content), undefined);

test("a new volume is Pending, since now, is kept without its claim and has a file system", () => {
  const object = decoded<Volume>("PersistentVolume", volumeWith({}, { phase: "Bound" }));
  kindNamed("PersistentVolume").strategy.prepareForCreate!(object, nowMs);
  assert.deepEqual(object.status, { phase: "Pending", lastPhaseTransitionTime: "2026-01-01T12:00:00Z" });
  assert.equal(object.spec!.persistentVolumeReclaimPolicy, "Retain");
  assert.equal(object.spec!.volumeMode, "Filesystem");
  assert.equal(object.spec!.hostPath!.type, "");
});

test("a volume's status tells since when it is in its phase", () => {
  const { strategy } = kindNamed("PersistentVolume");
  const statusAfter = (before: object, after: object) => {
    const object = decoded<Volume>("PersistentVolume", volumeWith({}, after));
    strategy.prepareForStatusUpdate!(object, decoded("PersistentVolume", volumeWith({}, before)), nowMs);
    return object.status!.lastPhaseTransitionTime;
  };
  const old = "2025-12-01T00:00:00Z";
  const before = { phase: "Available", lastPhaseTransitionTime: old };
  assert.equal(statusAfter(before, { phase: "Bound" }), "2026-01-01T12:00:00Z");
  assert.equal(statusAfter(before, { phase: "Bound", lastPhaseTransitionTime: old }), "2026-01-01T12:00:00Z");
  assert.equal(statusAfter(before, { phase: "Available" }), old);
  const given = "2025-12-24T00:00:00Z";
  assert.equal(statusAfter(before, { phase: "Bound", lastPhaseTransitionTime: given }), given);
});

const invalidVolumes: [what: string, spec: object, errors: string[]][] = [
  [
    "says how large it is, how it is mounted and where it is",
    { capacity: undefined, accessModes: undefined, hostPath: undefined },
    [
      "spec.accessModes: Required value",
      "spec.capacity: Required value",
      'spec.capacity: Unsupported value: {}: supported values: "storage"',
      "spec: Required value: must specify a volume type",
    ],
  ],
  [
    "holds something",
    { capacity: { storage: "-1" } },
    [
      "spec.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
      'spec.capacity[storage]: Invalid value: "-1": must be greater than zero',
    ],
  ],
  [
    "is in one place",
    { nfs: { server: "s", path: "/" }, csi: { driver: "d", volumeHandle: "h" } },
    [
      "spec.nfs: Forbidden: may not specify more than 1 volume type",
      "spec.csi: Forbidden: may not specify more than 1 volume type",
    ],
  ],
  [
    "is for one pod or for others",
    { accessModes: ["ReadWriteOncePod", "ReadOnlyMany"] },
    ["spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes"],
  ],
  [
    "that is local is on a node",
    { hostPath: undefined, local: { path: "/mnt/../etc" } },
    [
      "spec.local.path: Invalid value: \"/mnt/../etc\": must not contain '..'",
      "spec.nodeAffinity: Required value: Local volume requires node affinity",
    ],
  ],
  [
    "is not the host's root to be recycled",
    { hostPath: { path: "/." }, persistentVolumeReclaimPolicy: "Recycle" },
    ["spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
  ],
  [
    "names its driver's secrets whole",
    { hostPath: undefined, csi: { driver: "d", nodePublishSecretRef: { name: "S" } } },
    [
      "spec.csi.volumeHandle: Required value",
      `spec.csi.nodePublishSecretRef.name: Invalid value: "S": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      "spec.csi.nodePublishSecretRef.namespace: Required value",
    ],
  ],
  [
    "has attributes only of a driver",
    { volumeAttributesClassName: "gold" },
    ["spec.csi: Required value: has to be specified when using volumeAttributesClassName"],
  ],
  [
    "on some nodes says on which",
    { nodeAffinity: {} },
    ["spec.nodeAffinity.required: Required value: must specify required node constraints"],
  ],
];

for (const [what, spec, errors] of invalidVolumes)
  test(`a volume ${what}`, () => assert.deepEqual(errorsOf("PersistentVolume", volumeWith(spec)), errors));

test("every type of volume that Kubernetes has is taken", () => {
  const affinity = {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] }],
    },
  };
  const sources = [
    { local: { path: "/mnt" }, nodeAffinity: affinity },
    { nfs: { server: "s", path: "/export" } },
    { iscsi: { targetPortal: "10.0.0.1", iqn: "iqn.2001-04.com.example:storage", lun: 0 } },
    { csi: { driver: "d.example.com", volumeHandle: "h" } },
    { fc: { wwids: ["x"] } },
    { rbd: { monitors: ["m"], image: "i" } },
    { cinder: { volumeID: "v" } },
    { azureFile: { secretName: "s", shareName: "t" } },
  ];
  for (const source of sources)
    assert.deepEqual(errorsOf("PersistentVolume", volumeWith({ hostPath: undefined, ...source })), []);
});

test("where a volume's data is stays, and what becomes of it may change", () => {
  assert.deepEqual(
    updateErrorsOf(
      "PersistentVolume",
      volumeWith(),
      volumeWith({ persistentVolumeReclaimPolicy: "Delete", capacity: { storage: "2Gi" }, claimRef: {} }),
    ),
    [],
  );
  assert.deepEqual(
    updateErrorsOf("PersistentVolume", volumeWith(), volumeWith({ hostPath: { path: "/else" } })),
    [
      'spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n- hostPath.path: "/data"\n+ hostPath.path: "/else"',
    ],
  );
  assert.deepEqual(updateErrorsOf("PersistentVolume", volumeWith(), volumeWith({ volumeMode: "Block" })), [
    'volumeMode: Invalid value: "Block": field is immutable',
  ]);
});

test("a volume's row tells its size, modes, claim and class", () => {
  const volume = volumeWith(
    {
      accessModes: ["ReadOnlyMany", "ReadWriteOnce"],
      claimRef: { namespace: "ns", name: "claim" },
      storageClassName: "fast",
    },
    { phase: "Bound" },
  );
  assert.deepEqual(cells("PersistentVolume", volume), {
    Name: "x",
    Capacity: "1Gi",
    "Access Modes": "RWO,ROX",
    "Reclaim Policy": "Retain",
    Status: "Bound",
    Claim: "ns/claim",
    StorageClass: "fast",
    VolumeAttributesClass: "<unset>",
    Reason: "",
    Age: "<unknown>",
    VolumeMode: "Filesystem",
  });
});

test("what is on its way out is warned of", () => {
  assert.deepEqual(
    warningsOf("PersistentVolume", {
      ...volumeWith({ persistentVolumeReclaimPolicy: "Recycle" }),
      metadata: { annotations: { "volume.beta.kubernetes.io/storage-class": "old" } },
    }),
    [
      'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
      "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
    ],
  );
  assert.deepEqual(
    warningsOf("PersistentVolumeClaim", claimWith({ resources: { requests: { storage: "1500m" } } })),
    ['spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'],
  );
});

test("a new claim is Pending, and both fields say what its volume is filled with", () => {
  const object = decoded<Claim>(
    "PersistentVolumeClaim",
    claimWith(
      { dataSource: { kind: "PersistentVolumeClaim", name: "other" } },
      { status: { phase: "Bound" } },
    ),
  );
  kindNamed("PersistentVolumeClaim").strategy.prepareForCreate!(object, nowMs);
  assert.deepEqual(object.status, { phase: "Pending" });
  assert.deepEqual(object.spec!.dataSourceRef, { kind: "PersistentVolumeClaim", name: "other" });
  const odd = decoded<Claim>(
    "PersistentVolumeClaim",
    claimWith({ dataSource: { kind: "Pod", name: "other" } }),
  );
  kindNamed("PersistentVolumeClaim").strategy.prepareForCreate!(odd, nowMs);
  assert.equal(odd.spec!.dataSource, undefined);
});

const claimUpdates: [what: string, before: object, after: object, errors: string[]][] = [
  [
    "that is bound may ask for more",
    claimWith({ volumeName: "v" }, { status: { phase: "Bound", capacity: { storage: "1Gi" } } }),
    claimWith({ volumeName: "v", resources: { requests: { storage: "2Gi" } } }),
    [],
  ],
  [
    "that is bound cannot get less than it has",
    claimWith({ volumeName: "v" }, { status: { phase: "Bound", capacity: { storage: "1Gi" } } }),
    claimWith({ volumeName: "v", resources: { requests: { storage: "500Mi" } } }),
    ["spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"],
  ],
  [
    "that is bound may take back what it asked for more",
    claimWith(
      { resources: { requests: { storage: "5Gi" } } },
      { status: { phase: "Bound", capacity: { storage: "1Gi" } } },
    ),
    claimWith({ resources: { requests: { storage: "2Gi" } } }),
    [],
  ],
  [
    "that is not bound keeps what it asks for",
    claimWith(),
    claimWith({ resources: { requests: { storage: "2Gi" } } }),
    [
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n- resources.requests.storage: "1Gi"\n+ resources.requests.storage: "2Gi"',
    ],
  ],
  ["gets its volume once", claimWith(), claimWith({ volumeName: "v" }), []],
  [
    "keeps its volume",
    claimWith({ volumeName: "v" }),
    claimWith({ volumeName: "w" }),
    [
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n- volumeName: "v"\n+ volumeName: "w"',
    ],
  ],
  ["without a class may get one", claimWith(), claimWith({ storageClassName: "standard" }), []],
  [
    "of no class stays so",
    claimWith({ storageClassName: "" }),
    claimWith({ storageClassName: "standard" }),
    [
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n- storageClassName: ""\n+ storageClassName: "standard"',
    ],
  ],
];

for (const [what, before, after, errors] of claimUpdates)
  test(`a claim ${what}`, () =>
    assert.deepEqual(updateErrorsOf("PersistentVolumeClaim", before, after), errors));

test("a claim's status has no amounts but of storage", () => {
  const { strategy } = kindNamed("PersistentVolumeClaim");
  const claim = decoded(
    "PersistentVolumeClaim",
    claimWith({}, { status: { allocatedResources: { cpu: "1" }, capacity: { storage: "-1" } } }),
  );
  assert.deepEqual(lines(strategy.validateStatusUpdate!(claim, claim)), [
    "status.capacity[storage]: Invalid value: -1: must be a valid resource quantity",
    'status.allocatedResources: Unsupported value: "cpu": supported values: "storage"',
  ]);
});

test("a claim's row tells its volume once it has one", () => {
  const status = { phase: "Bound", capacity: { storage: "2Gi" }, accessModes: ["ReadWriteMany"] };
  const row = (spec: object) => {
    const { Name: _, Age: __, ...rest } = cells("PersistentVolumeClaim", claimWith(spec, { status }));
    return Object.values(rest);
  };
  assert.deepEqual(row({ storageClassName: "fast", volumeName: "v" }), [
    "Bound",
    "v",
    "2Gi",
    "RWX",
    "fast",
    "<unset>",
    "Filesystem",
  ]);
  assert.deepEqual(row({}), ["Bound", "", "", "", "", "<unset>", "Filesystem"]);
});

test("a class deletes its volumes and makes them at once, if it says nothing", () => {
  const standard = {
    metadata: {
      name: "standard",
      annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
    },
    provisioner: "example.com/disk",
  };
  const { Age: _, ...row } = cells("StorageClass", standard);
  assert.deepEqual(Object.values(row), [
    "standard (default)",
    "example.com/disk",
    "Delete",
    "Immediate",
    false,
  ]);
});

test("a class says who makes its volumes, and that stays", () => {
  assert.deepEqual(errorsOf("StorageClass", {}), ["provisioner: Required value"]);
  assert.deepEqual(errorsOf("StorageClass", { provisioner: "p", reclaimPolicy: "Recycle" }), [
    'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
  ]);
  const zone = { key: "zone", values: ["a", "a"] };
  assert.deepEqual(
    errorsOf("StorageClass", {
      provisioner: "p",
      allowedTopologies: [{ matchLabelExpressions: [zone, { key: "zone", values: [] }] }],
    }),
    [
      'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
      "allowedTopologies[0].matchLabelExpressions[1].values: Required value",
      'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "zone"',
    ],
  );
  assert.deepEqual(
    updateErrorsOf(
      "StorageClass",
      { provisioner: "p", allowVolumeExpansion: false },
      { provisioner: "q", allowVolumeExpansion: true, reclaimPolicy: "Retain" },
    ),
    [
      'provisioner: Invalid value: "q": field is immutable',
      'reclaimPolicy: Invalid value: "Retain": field is immutable',
    ],
  );
});

test("a class of attributes has some, and keeps them", () => {
  assert.deepEqual(errorsOf("VolumeAttributesClass", { driverName: "d" }), [
    "parameters: Required value: must contain at least one key/value pair",
  ]);
  assert.deepEqual(
    updateErrorsOf(
      "VolumeAttributesClass",
      { driverName: "d", parameters: { a: "1" } },
      { driverName: "e", parameters: { a: "2" } },
    ),
    [
      "driverName: Forbidden: updates to driverName are forbidden.",
      "parameters: Forbidden: updates to parameters are forbidden.",
    ],
  );
});
