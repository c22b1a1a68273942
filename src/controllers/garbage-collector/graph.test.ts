import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject, ObjectMeta } from "../../machinery/index.ts";
import { Graph } from "./graph.ts";

const resource = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };
const object = (uid: string, owners: string[] = [], meta: Partial<ObjectMeta> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    uid,
    name: uid,
    namespace: "default",
    ownerReferences: owners.map((owner) => ({ apiVersion: "v1", kind: "Pod", name: owner, uid: owner })),
    ...meta,
  },
});

test("an object with owners is looked at when it appears, its dependents when it goes", () => {
  const graph = new Graph();
  assert.deepEqual(graph.upsert(resource, object("owner")), []);
  assert.deepEqual(graph.upsert(resource, object("child", ["owner"])), ["child"]);
  assert.deepEqual(graph.remove("owner"), ["child"]);
});

test("an owner in foreground deletion is looked at again when a dependent goes", () => {
  const graph = new Graph();
  graph.upsert(resource, object("child", ["owner"]));
  const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["foregroundDeletion"] };
  assert.deepEqual(graph.upsert(resource, object("owner", [], deleting)), ["owner"]);
  assert.deepEqual(graph.remove("child"), ["owner"]);
});

test("dropping an owner reference forgets the dependent", () => {
  const graph = new Graph();
  graph.upsert(resource, object("child", ["owner"]));
  graph.upsert(resource, object("child"));
  assert.deepEqual(graph.dependentsOf("owner"), []);
});
