import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1, storagev1 } from "../api/index.ts";
import type { NodeResource } from "./node-authorizer.ts";
import { relatedThroughPods } from "./pod-references.ts";

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default" },
  spec: {
    nodeName: "n1",
    serviceAccountName: "web",
    imagePullSecrets: [{ name: "pull" }],
    initContainers: [{ name: "i", envFrom: [{ secretRef: { name: "from" } }] }],
    containers: [
      { name: "c", env: [{ name: "E", valueFrom: { configMapKeyRef: { name: "env", key: "k" } } }] },
    ],
    volumes: [
      { name: "s", secret: { secretName: "volume" } },
      { name: "data", ephemeral: {} },
      { name: "claim", persistentVolumeClaim: { claimName: "claim" } },
      { name: "t", projected: { sources: [{ configMap: { name: "kube-root-ca.crt" } }] } },
    ],
  },
} as corev1.Pod;

const secretRef = { name: "stage", namespace: "drivers" };
const isRelated = relatedThroughPods({
  podsOnNode: (nodeName) => (nodeName === "n1" ? [pod] : []),
  getClaim: async (_namespace, name) =>
    ({ metadata: { name }, spec: { volumeName: `pv-of-${name}` } }) as corev1.PersistentVolumeClaim,
  getVolume: async (name) =>
    ({ metadata: { name }, spec: { csi: { nodeStageSecretRef: secretRef } } }) as corev1.PersistentVolume,
  getAttachment: async (name) =>
    name === "of-n1" ? ({ spec: { nodeName: "n1" } } as storagev1.VolumeAttachment) : undefined,
});

const table: [NodeResource, string, boolean][] = [
  ["pods", "p", true],
  ["pods", "q", false],
  ["serviceaccounts", "web", true],
  ["secrets", "pull", true],
  ["secrets", "from", true],
  ["secrets", "volume", true],
  ["secrets", "env", false],
  ["configmaps", "env", true],
  ["configmaps", "kube-root-ca.crt", true],
  ["configmaps", "volume", false],
  ["persistentvolumeclaims", "claim", true],
  ["persistentvolumeclaims", "p-data", true],
  ["persistentvolumeclaims", "data", false],
  ["persistentvolumes", "claim", false],
];
for (const [resource, name, related] of table) {
  test(`a node's pod ${related ? "gives" : "does not give"} it ${resource} ${name}`, async () => {
    assert.equal(await isRelated("n1", resource, "default", name), related);
    assert.equal(await isRelated("n2", resource, "default", name), false, "another node");
    assert.equal(await isRelated("n1", resource, "other", name), false, "another namespace");
  });
}

test("a node's pod gives it the volumes that its claims are bound to, and no other", async () => {
  assert.equal(await isRelated("n1", "persistentvolumes", undefined, "pv-of-claim"), true);
  assert.equal(await isRelated("n1", "persistentvolumes", undefined, "pv-of-p-data"), true);
  assert.equal(await isRelated("n1", "persistentvolumes", undefined, "pv-of-other"), false);
  assert.equal(await isRelated("n2", "persistentvolumes", undefined, "pv-of-claim"), false);
});

test("a node's pod gives it what the drivers of its volumes need", async () => {
  assert.equal(await isRelated("n1", "secrets", "drivers", "stage"), true);
  assert.equal(await isRelated("n1", "secrets", "drivers", "other"), false);
  assert.equal(await isRelated("n2", "secrets", "drivers", "stage"), false);
});

test("a node sees the attachments of volumes to itself, and no others", async () => {
  assert.equal(await isRelated("n1", "volumeattachments", undefined, "of-n1"), true);
  assert.equal(await isRelated("n2", "volumeattachments", undefined, "of-n1"), false);
  assert.equal(await isRelated("n1", "volumeattachments", undefined, "none"), false);
});
