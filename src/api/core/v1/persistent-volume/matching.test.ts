import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../types/index.ts";
import { boundByControllerAnnotation } from "./annotations.ts";
import { boundVolume, findMatchingVolume, isReachableFrom, volumeMismatch } from "./matching.ts";

type Volume = corev1.PersistentVolume;
type Claim = corev1.PersistentVolumeClaim;

const volume = (name: string, storage: string, spec: object = {}, metadata: object = {}): Volume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name, ...metadata },
  spec: { capacity: { storage }, accessModes: ["ReadWriteOnce"], volumeMode: "Filesystem", ...spec },
  status: { phase: "Available" },
});
const claim = (storage: string, spec: object = {}): Claim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "claim", namespace: "ns", uid: "u1" },
  spec: {
    accessModes: ["ReadWriteOnce"],
    volumeMode: "Filesystem",
    resources: { requests: { storage } },
    ...spec,
  },
});
const node = (name: string): corev1.Node => ({
  spec: {},
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { "kubernetes.io/hostname": name } },
});
const onNode = (name: string) => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [name] }] },
      ],
    },
  },
});
const kept = (uid?: string) => ({ claimRef: { namespace: "ns", name: "claim", ...(uid && { uid }) } });

const cases: [what: string, claim: Claim, volumes: Volume[], expected: string | undefined][] = [
  [
    "gets the smallest volume that is large enough",
    claim("2Gi"),
    [volume("large", "10Gi"), volume("small", "1Gi"), volume("fits", "3Gi")],
    "fits",
  ],
  [
    "gets the one with the fewest modes, were it larger",
    claim("1Gi"),
    [volume("many", "1Gi", { accessModes: ["ReadWriteOnce", "ReadWriteMany"] }), volume("one", "5Gi")],
    "one",
  ],
  [
    "gets none that lacks a mode it asks for",
    claim("1Gi", { accessModes: ["ReadWriteOnce", "ReadOnlyMany"] }),
    [volume("one", "1Gi")],
    undefined,
  ],
  ["gets none of another class", claim("1Gi", { storageClassName: "fast" }), [volume("v", "1Gi")], undefined],
  [
    "gets none of a class if it asks for none",
    claim("1Gi"),
    [volume("v", "1Gi", { storageClassName: "fast" })],
    undefined,
  ],
  [
    "gets no block device for a file system",
    claim("1Gi"),
    [volume("v", "1Gi", { volumeMode: "Block" })],
    undefined,
  ],
  [
    "gets one that its selector matches",
    claim("1Gi", { selector: { matchLabels: { tier: "gold" } } }),
    [volume("plain", "1Gi"), volume("gold", "2Gi", {}, { labels: { tier: "gold" } })],
    "gold",
  ],
  [
    "gets the one that is kept for it, were there a better one",
    claim("1Gi"),
    [volume("small", "1Gi"), volume("kept", "9Gi", { storageClassName: "other", ...kept() })],
    "kept",
  ],
  [
    "gets none that is kept for a claim that was there before it",
    claim("1Gi"),
    [volume("v", "1Gi", kept("u0"))],
    undefined,
  ],
  [
    "gets none that is being deleted",
    claim("1Gi"),
    [volume("v", "1Gi", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" })],
    undefined,
  ],
  [
    "gets none that is not available yet",
    claim("1Gi"),
    [{ ...volume("v", "1Gi"), status: { phase: "Released" } }],
    undefined,
  ],
  [
    "gets none of other attributes",
    claim("1Gi", { volumeAttributesClassName: "gold" }),
    [volume("v", "1Gi")],
    undefined,
  ],
];

for (const [what, wanted, volumes, expected] of cases)
  test(`a claim ${what}`, () => {
    assert.equal(findMatchingVolume(wanted, volumes)?.metadata.name, expected);
    assert.equal(findMatchingVolume(wanted, [...volumes].reverse())?.metadata.name, expected);
  });

test("a claim that waits for its pod gets only what is kept for it, until the node is known", () => {
  const volumes = [volume("there", "1Gi", onNode("n1")), volume("here", "2Gi", onNode("n2"))];
  assert.equal(findMatchingVolume(claim("1Gi"), volumes, { only: "kept" }), undefined);
  const found = findMatchingVolume(claim("1Gi"), volumes, { node: node("n2") });
  assert.equal(found?.metadata.name, "here");
  const excluded = new Set(["here"]);
  assert.equal(findMatchingVolume(claim("1Gi"), volumes, { node: node("n2"), excluded }), undefined);
  const own = [volume("kept", "1Gi", { ...kept("u1"), ...onNode("n1") }), volume("free", "1Gi")];
  assert.equal(findMatchingVolume(claim("1Gi"), own, { node: node("n2") }), undefined);
});

test("a volume of no affinity is reached from everywhere", () => {
  assert.equal(isReachableFrom(volume("v", "1Gi"), node("n1")), true);
  assert.equal(isReachableFrom(volume("v", "1Gi", onNode("n1")), node("n1")), true);
  assert.equal(isReachableFrom(volume("v", "1Gi", onNode("n1")), node("n2")), false);
});

test("a claim that names its volume is told why it cannot have it", () => {
  const why = (given: Volume, wanted = claim("1Gi")) => volumeMismatch(given, wanted);
  assert.equal(why(volume("v", "1Gi")), undefined);
  assert.equal(why(volume("v", "1Mi")), "requested PV is too small");
  assert.equal(why(volume("v", "1Gi", { storageClassName: "x" })), "storageClassName does not match");
  assert.equal(why(volume("v", "1Gi", { volumeMode: "Block" })), "incompatible volumeMode");
  assert.equal(
    why(volume("v", "1Gi"), claim("1Gi", { accessModes: ["ReadWriteMany"] })),
    "incompatible accessMode",
  );
});

test("a volume that the controller binds says so; one that a user has kept does not", () => {
  const bound = boundVolume(volume("v", "1Gi"), claim("1Gi"));
  assert.equal(bound.spec!.claimRef!.uid, "u1");
  assert.equal(bound.metadata.annotations?.[boundByControllerAnnotation], "yes");
  const ofUser = boundVolume(volume("v", "1Gi", kept()), claim("1Gi"));
  assert.equal(ofUser.spec!.claimRef!.uid, "u1");
  assert.equal(ofUser.metadata.annotations, undefined);
  assert.equal(boundVolume(bound, claim("1Gi")), bound);
});
