import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { startTestCluster } from "../apiserver/testing/cluster.ts";
import { createLifetime, SeededRandom, SystemClock, silentLog } from "../base/index.ts";
import { createInformerFactory, replicaSets, replicationControllers } from "../client/index.ts";
import { ClusterState } from "./cluster-state.ts";
import { pod } from "./view.suite.ts";

test("pods of one replica set or replication controller are equals, others are not", async (t) => {
  const { admin, close } = await startTestCluster();
  const ended = createLifetime();
  t.after(async () => {
    ended.abort();
    await close();
  });
  const template = (app: string) => ({
    metadata: { labels: { app } },
    spec: { containers: [{ name: "c", image: "i" }] },
  });
  await admin.request({
    verb: "create",
    resource: replicationControllers,
    namespace: "default",
    body: {
      apiVersion: "v1",
      kind: "ReplicationController",
      metadata: { name: "rc" },
      spec: { replicas: 0, selector: { app: "old" }, template: template("old") },
    },
  });
  await admin.request({
    verb: "create",
    resource: replicaSets,
    namespace: "default",
    body: {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "rs" },
      spec: { replicas: 0, selector: { matchLabels: { app: "new" } }, template: template("new") },
    },
  });
  const informers = createInformerFactory(admin, {
    clock: new SystemClock(),
    log: silentLog,
    random: new SeededRandom(1),
  });
  const state = new ClusterState(informers);
  await informers.start(ended.signal);
  const of = (kind: string, name: string): corev1.Pod =>
    pod({}, {}, { ownerReferences: [{ apiVersion: "v1", kind, name, uid: "u", controller: true }] });
  assert.equal(String(state.equalsOf(of("ReplicationController", "rc"))), "app=old");
  assert.equal(String(state.equalsOf(of("ReplicaSet", "rs"))), "app=new");
  assert.equal(state.equalsOf(of("ReplicaSet", "none")), undefined);
  assert.equal(state.equalsOf(of("Job", "rs")), undefined);
  assert.equal(state.equalsOf(pod()), undefined);
});
