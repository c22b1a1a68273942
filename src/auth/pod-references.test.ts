import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
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

const isRelated = relatedThroughPods((nodeName) => (nodeName === "n1" ? [pod] : []));

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
