import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { startTestCluster } from "../apiserver/testing/cluster.ts";
import { createLifetime, SystemClock, SystemRandom, silentLog } from "../base/index.ts";
import { createInformerFactory, nodes, pods } from "../client/index.ts";
import { Scheduler } from "./scheduler.ts";

/** An API server with one node and a scheduler; `bound` resolves once a pod has a node. */
async function startScheduling() {
  const cluster = await startTestCluster();
  const { admin } = cluster;
  const clock = new SystemClock();
  const ended = createLifetime();
  const body: corev1.Node = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n" },
    spec: {},
    status: { allocatable: { cpu: "4", memory: "4Gi", pods: "110" } },
  };
  await admin.request({ verb: "create", resource: nodes, body });
  await admin.request({ verb: "update", resource: nodes, name: "n", subresource: "status", body });
  const informers = createInformerFactory(admin, { clock, log: silentLog, random: new SystemRandom() });
  const scheduler = new Scheduler({
    transport: admin,
    informers,
    recorder: { event: () => {}, flush: async () => {} },
    clock,
    log: silentLog,
  });
  const watched = informers.informer<corev1.Pod>(pods);
  await scheduler.start(ended.signal);
  const at = { resource: pods, namespace: "default" };
  return {
    create: (name: string, spec: Partial<corev1.PodSpec>) => {
      const containers = [{ name: "main", image: "i" }];
      const pod = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers, ...spec } };
      return admin.request({ verb: "create", ...at, body: pod });
    },
    patch: (name: string, body: object) =>
      admin.request({ verb: "patch", ...at, name, patch: { type: "merge", body } }),
    nodeOf: (name: string) => watched.get(`default/${name}`)?.spec?.nodeName,
    bound: (name: string) =>
      new Promise<void>((resolve) => {
        const look = (pod: corev1.Pod) => {
          if (pod.metadata.name === name && pod.spec!.nodeName) resolve();
        };
        watched.addHandler({ added: look, updated: (_before, after) => look(after) });
      }),
    close: async () => {
      ended.abort();
      await cluster.close();
    },
  };
}

test("a pod of another scheduler is left to it", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  await scheduling.create("theirs", { schedulerName: "another" });
  await scheduling.create("ours", {});
  await scheduling.bound("ours");
  assert.equal(scheduling.nodeOf("theirs"), undefined);
});

test("a pod with scheduling gates waits until the last one is gone", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  await scheduling.create("gated", { schedulingGates: [{ name: "example.com/ready" }] });
  await scheduling.create("open", {});
  await scheduling.bound("open");
  assert.equal(scheduling.nodeOf("gated"), undefined);
  await scheduling.patch("gated", { spec: { schedulingGates: null } });
  await scheduling.bound("gated");
});
