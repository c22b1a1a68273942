import assert from "node:assert/strict";
import { test } from "node:test";
import { type corev1, provisionedByAnnotation, provisionedFinalizer, type storagev1 } from "../api/index.ts";
import { provisionedVolume, refusalOf, wantsMore } from "./provisioned-volume.ts";

const claim = (spec: object = {}, status: object = {}): corev1.PersistentVolumeClaim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace: "ns", uid: "u1", resourceVersion: "7" },
  spec: {
    accessModes: ["ReadWriteMany"],
    volumeMode: "Filesystem",
    resources: { requests: { storage: "1Gi" } },
    ...spec,
  },
  status,
});
const storageClass = (rest: object = {}): storagev1.StorageClass => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "standard" },
  provisioner: "p",
  reclaimPolicy: "Delete",
  ...rest,
});
const node = (labels?: Record<string, string>): corev1.Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n", ...(labels && { labels }) },
  spec: {},
});
const made = (
  rest: object = {},
  labels: Record<string, string> | undefined = { "kubernetes.io/hostname": "host" },
) =>
  provisionedVolume({
    claim: claim(),
    storageClass: storageClass(rest),
    provisioner: "p",
    node: node(labels),
    path: "/volumes/pvc-u1",
  });

test("what is made for a claim is the claim's, on its node, and named after it", () => {
  const { metadata, spec } = made();
  assert.equal(metadata.name, "pvc-u1");
  assert.equal(metadata.annotations![provisionedByAnnotation], "p");
  assert.deepEqual(spec!.claimRef, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    name: "data",
    namespace: "ns",
    uid: "u1",
    resourceVersion: "7",
  });
  assert.deepEqual(spec!.local, { path: "/volumes/pvc-u1" });
  assert.deepEqual(spec!.capacity, { storage: "1Gi" });
  assert.deepEqual(spec!.nodeAffinity!.required!.nodeSelectorTerms, [
    { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["host"] }] },
  ]);
  const unlabelled = made({}, {}).spec!.nodeAffinity!.required!.nodeSelectorTerms;
  assert.deepEqual(unlabelled, [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n"] }] }]);
});

test("what goes with its claim is held until it is removed from the disk", () => {
  assert.deepEqual(made().metadata.finalizers, [provisionedFinalizer]);
  assert.equal(made({ reclaimPolicy: "Retain" }).metadata.finalizers, undefined);
});

const gib = 2 ** 30;
const refusals: [
  what: string,
  claim: corev1.PersistentVolumeClaim,
  storageClass: storagev1.StorageClass,
  why: string | undefined,
][] = [
  ["as large as the disk", claim(), storageClass(), undefined],
  [
    "larger than the disk",
    claim({ resources: { requests: { storage: "2Gi" } } }),
    storageClass(),
    `2Gi were asked for, and the file system holds ${gib} bytes`,
  ],
  [
    "of a class with parameters",
    claim(),
    storageClass({ parameters: { type: "ssd" } }),
    'unknown parameter "type"',
  ],
  [
    "of a class with mount options",
    claim(),
    storageClass({ mountOptions: ["noatime"] }),
    "mount options are not supported: a directory is not mounted",
  ],
  ["with a selector", claim({ selector: {} }), storageClass(), "claim Selector is not supported"],
  [
    "that is to be filled",
    claim({ dataSource: { kind: "PersistentVolumeClaim", name: "x" } }),
    storageClass(),
    "a volume cannot be filled from another",
  ],
  [
    "with an attributes class",
    claim({ volumeAttributesClassName: "gold" }),
    storageClass(),
    "volume attributes classes are not supported",
  ],
];
for (const [what, wanted, ofClass, why] of refusals)
  test(`a claim ${what} ${why ? "is refused, and told why" : "gets a volume"}`, () =>
    assert.equal(refusalOf(wanted, ofClass, gib), why));

test("only a bound claim that asks for more than it has is enlarged", () => {
  const sized = (storage: string, phase: string) =>
    claim({ resources: { requests: { storage } } }, { phase, capacity: { storage: "1Gi" } });
  assert.equal(wantsMore(sized("2Gi", "Bound")), true);
  assert.equal(wantsMore(sized("1Gi", "Bound")), false);
  assert.equal(wantsMore(sized("1024Mi", "Bound")), false);
  assert.equal(wantsMore(sized("2Gi", "Lost")), false);
  assert.equal(wantsMore(claim({}, { phase: "Bound" })), false);
});
