import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bindCompletedAnnotation,
  type corev1,
  selectedNodeAnnotation,
  type storagev1,
} from "../../api/index.ts";
import { node, on, placed, pod } from "../view.suite.ts";
import { noVolumes, type VolumeView } from "../volumes/volume-view.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

const claim = (name: string, spec: object = {}, rest: object = {}): Claim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace: "default", uid: `uid-${name}` },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
  status: { phase: "Pending" },
  ...rest,
});
const bound = (name: string, volumeName: string, spec: object = {}): Claim => ({
  ...claim(name, { volumeName, ...spec }),
  metadata: {
    name,
    namespace: "default",
    uid: `uid-${name}`,
    annotations: { [bindCompletedAnnotation]: "yes" },
  },
  status: { phase: "Bound" },
});
const volume = (
  name: string,
  host?: string,
  rest: object = {},
  labels: Record<string, string> = {},
): Volume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, labels },
  spec: {
    capacity: { storage: "1Gi" },
    accessModes: ["ReadWriteOnce"],
    storageClassName: "waits",
    ...(host && {
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [host] }] },
          ],
        },
      },
    }),
    ...rest,
  },
  status: { phase: "Available" },
});
const storageClass = (name: string, rest: Partial<storagev1.StorageClass>): storagev1.StorageClass => ({
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name },
  provisioner: "kubernetes.io/no-provisioner",
  volumeBindingMode: "WaitForFirstConsumer",
  ...rest,
});

const view = (
  claims: Claim[],
  volumes: Volume[] = [],
  classes: storagev1.StorageClass[] = [],
): VolumeView => ({
  ...noVolumes,
  claim: (_namespace, name) => claims.find(({ metadata }) => metadata.name === name),
  volume: (name) => volumes.find(({ metadata }) => metadata.name === name),
  volumesOfClass: (name) => volumes.filter(({ spec }) => spec!.storageClassName === name),
  storageClass: (name) => classes.find(({ metadata }) => metadata.name === name),
});
const using = (...names: string[]) =>
  pod({ volumes: names.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })) });
const none = "0/2 nodes are available: ";
const nodes = () => [node("a"), node("b")];
const waits = (name: string, rest: object = {}) => claim(name, { storageClassName: "waits", ...rest });

test("a pod goes where its volumes can be reached", () => {
  const volumes = view([bound("data", "v")], [volume("v", "b")]);
  assert.equal(placed(using("data"), nodes(), { volumes }), "b");
  const elsewhere = view([bound("data", "v")], [volume("v", "c")]);
  assert.equal(
    placed(using("data"), nodes(), { volumes: elsewhere }),
    `${none}2 node(s) didn't match PersistentVolume's node affinity.`,
  );
  assert.equal(
    placed(using("data"), nodes(), { volumes: view([bound("data", "v")]) }),
    `${none}2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).`,
  );
});

const missing: [what: string, claims: Claim[], why: string, spec?: corev1.Pod][] = [
  ["is not there", [], 'persistentvolumeclaim "data" not found'],
  ["waits for a volume", [claim("data")], "pod has unbound immediate PersistentVolumeClaims"],
  [
    "is being deleted",
    [
      {
        ...claim("data"),
        metadata: { name: "data", namespace: "default", deletionTimestamp: "2026-01-01T00:00:00Z" },
      },
    ],
    'persistentvolumeclaim "data" is being deleted',
  ],
  [
    "has lost its volume",
    [claim("data", { volumeName: "v" }, { status: { phase: "Lost" } })],
    'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"',
  ],
  [
    "is its own and not made yet",
    [],
    'waiting for ephemeral volume controller to create the persistentvolumeclaim "p-tmp"',
    pod({ volumes: [{ name: "tmp", ephemeral: {} }] }),
  ],
  [
    "stands where its own should be",
    [claim("p-tmp")],
    "PVC default/p-tmp was not created for pod default/p (pod is not owner)",
    pod({ volumes: [{ name: "tmp", ephemeral: {} }] }, {}, { uid: "u1" }),
  ],
];
for (const [what, claims, why, spec = using("data")] of missing)
  test(`a pod whose claim ${what} fits no node, whatever they are like`, () =>
    assert.equal(placed(spec, nodes(), { volumes: view(claims) }), `${none}${why}.`));

test("a claim that waits for its pod gets a volume that the node reaches, and each claim another", () => {
  const classes = [storageClass("waits", {})];
  const claims = [waits("one"), waits("two")];
  const apart = view(claims, [volume("v1", "a"), volume("v2", "b"), volume("v3", "b")], classes);
  assert.equal(placed(using("one", "two"), nodes(), { volumes: apart }), "b");
  const few = view(claims, [volume("v1", "a"), volume("v2", "b")], classes);
  assert.equal(
    placed(using("one", "two"), nodes(), { volumes: few }),
    `${none}2 node(s) didn't find available persistent volumes to bind.`,
  );
});

test("a claim whose class makes volumes gets one where the class lets it", () => {
  const made = { provisioner: "example.com/disk" };
  const anywhere = view([waits("one")], [], [storageClass("waits", made)]);
  assert.equal(placed(using("one"), [node("a")], { volumes: anywhere }), "a");
  const allowedTopologies = [
    { matchLabelExpressions: [{ key: "kubernetes.io/hostname", values: ["b", "c"] }] },
  ];
  const there = view([waits("one")], [], [storageClass("waits", { ...made, allowedTopologies })]);
  assert.equal(placed(using("one"), nodes(), { volumes: there }), "b");
});

test("a claim is made where its driver says that there is room, if the driver is one that says", () => {
  const classes = [storageClass("waits", { provisioner: "d.test" })];
  const capacity = (spec: Partial<storagev1.CSIStorageCapacity>): storagev1.CSIStorageCapacity => ({
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIStorageCapacity",
    metadata: { name: "c", namespace: "default" },
    storageClassName: "waits",
    ...spec,
  });
  const on = (host: string) => ({ matchLabels: { "kubernetes.io/hostname": host } });
  const noRoom = `${none}2 node(s) did not have enough free storage.`;
  const cases: [what: string, capacities: storagev1.CSIStorageCapacity[], where: string][] = [
    ["nothing is told", [], noRoom],
    ["too little", [capacity({ capacity: "1Mi", nodeTopology: {} })], noRoom],
    ["for nobody", [capacity({ capacity: "2Gi" })], noRoom],
    ["of no size", [capacity({ nodeTopology: {} })], noRoom],
    ["for another class", [capacity({ capacity: "2Gi", nodeTopology: {}, storageClassName: "b" })], noRoom],
    ["not in one piece", [capacity({ capacity: "2Gi", maximumVolumeSize: "1Mi", nodeTopology: {} })], noRoom],
    ["for all", [capacity({ capacity: "1Gi", nodeTopology: {} })], "a"],
    [
      "on b",
      [
        capacity({ capacity: "1Mi", nodeTopology: on("a") }),
        capacity({ capacity: "2Gi", nodeTopology: on("b") }),
      ],
      "b",
    ],
  ];
  for (const [what, capacities, where] of cases) {
    const seen = (tells: boolean): VolumeView => ({
      ...view([waits("one")], [], classes),
      tellsCapacity: (driver) => tells && driver === "d.test",
      capacitiesOfClass: (name) => capacities.filter(({ storageClassName }) => storageClassName === name),
    });
    assert.equal(placed(using("one"), nodes(), { volumes: seen(true) }), where, what);
    assert.equal(placed(using("one"), nodes(), { volumes: seen(false) }), "a", what);
  }
});

test("a claim that was promised to a node is made there and nowhere else", () => {
  const promised = waits("one");
  promised.metadata.annotations = { [selectedNodeAnnotation]: "b" };
  const volumes = view([promised], [volume("v", "a")], [storageClass("waits", { provisioner: "p" })]);
  assert.equal(placed(using("one"), nodes(), { volumes }), "b");
});

test("a claim for one pod keeps others away from every node", () => {
  const volumes = view([bound("single", "v", { accessModes: ["ReadWriteOncePod"] })], [volume("v")]);
  const other = pod({ ...using("single").spec }, {}, { name: "other" });
  assert.equal(
    placed(using("single"), [on(node("a"), other), node("b")], { volumes }),
    `${none}2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.`,
  );
  assert.equal(placed(using("single"), [node("a")], { volumes }), "a");
  const elsewhere = pod({ ...using("single").spec }, {}, { name: "other", namespace: "else" });
  assert.equal(placed(using("single"), [on(node("a"), elsewhere)], { volumes }), "a");
});

test("a volume of a zone is used by nodes of that zone", () => {
  const zone = "topology.kubernetes.io/zone";
  const volumes = view([bound("data", "v")], [volume("v", undefined, {}, { [zone]: "west__east" })]);
  const inZone = (name: string, value: string, key = zone) => node(name, { labels: { [key]: value } });
  assert.equal(placed(using("data"), [inZone("a", "north"), inZone("b", "east")], { volumes }), "b");
  assert.equal(
    placed(using("data"), [inZone("a", "north"), inZone("b", "south")], { volumes }),
    `${none}2 node(s) had no available volume zone.`,
  );
  const old = "failure-domain.beta.kubernetes.io/zone";
  assert.equal(placed(using("data"), [inZone("a", "west", old)], { volumes }), "a");
  assert.equal(placed(using("data"), [node("a")], { volumes }), "a", "where nodes have no zones");
});
