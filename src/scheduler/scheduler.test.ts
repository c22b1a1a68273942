import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../api/index.ts";
import { startTestCluster } from "../apiserver/testing/cluster.ts";
import { createLifetime, SystemClock, SystemRandom, silentLog } from "../base/index.ts";
import {
  createInformerFactory,
  nodes,
  persistentVolumeClaims,
  pods,
  storageClasses,
} from "../client/index.ts";
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
    metadata: { name: "n", labels: { "kubernetes.io/hostname": "n" } },
    spec: {},
    status: { allocatable: { cpu: "4", memory: "4Gi", pods: "110" } },
  };
  await admin.request({ verb: "create", resource: nodes, body });
  await admin.request({ verb: "update", resource: nodes, name: "n", subresource: "status", body });
  const informers = createInformerFactory(admin, { clock, log: silentLog, random: new SystemRandom() });
  const scheduler = new Scheduler({
    transport: admin,
    informers,
    recorder: {
      event: (about, _type, reason, message) =>
        void told.push(`${"metadata" in about ? about.metadata.name : about.name} ${reason}: ${message}`),
      annotatedEvent: () => {},
      flush: async () => {},
    },
    clock,
    log: silentLog,
  });
  const told: string[] = [];
  const watched = informers.informer<corev1.Pod>(pods);
  await scheduler.start(ended.signal);
  const at = { resource: pods, namespace: "default" };
  /** Resolves once a pod is as `is` says. */
  const seen = (name: string, is: (pod: corev1.Pod) => boolean) =>
    new Promise<void>((resolve) => {
      const look = (pod: corev1.Pod) => {
        if (pod.metadata.name === name && is(pod)) resolve();
      };
      watched.addHandler({ added: look, updated: (_before, after) => look(after) });
    });
  return {
    create: (name: string, spec: Partial<corev1.PodSpec>, labels: Record<string, string> = {}) => {
      const containers = [{ name: "main", image: "i" }];
      const pod = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, labels },
        spec: { containers, ...spec },
      };
      return admin.request({ verb: "create", ...at, body: pod });
    },
    patch: (name: string, body: object) =>
      admin.request({ verb: "patch", ...at, name, patch: { type: "merge", body } }),
    told,
    admin,
    store: cluster.store,
    get: (name: string) => watched.get(`default/${name}`),
    remove: (name: string) => admin.request({ verb: "delete", ...at, name }),
    nodeOf: (name: string) => watched.get(`default/${name}`)?.spec?.nodeName,
    bound: (name: string) => seen(name, (pod) => Boolean(pod.spec!.nodeName)),
    seen,
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

const asking = (cpu: string, more: Partial<corev1.PodSpec> = {}): Partial<corev1.PodSpec> => ({
  terminationGracePeriodSeconds: 0,
  containers: [{ name: "main", image: "i", resources: { requests: { cpu } } }],
  ...more,
});

test("a pod that does not fit says why, and is placed when there is room", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  await scheduling.create("large", asking("3"));
  await scheduling.bound("large");
  const why =
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
  await scheduling.create("waits", asking("2"));
  await scheduling.seen("waits", (pod) => pod.status?.conditions?.[0]?.message === why);
  assert.deepEqual(
    scheduling.told.filter((line) => line.startsWith("waits")),
    [`waits FailedScheduling: ${why}`],
  );
  assert.equal(scheduling.get("waits")!.status!.conditions![0]!.reason, "Unschedulable");
  await scheduling.remove("large");
  await scheduling.bound("waits");
});

test("a pod of high priority takes the place of a lesser one, which is told why it goes", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  await scheduling.create("lesser", asking("3", { priority: 1 }));
  await scheduling.bound("lesser");
  const marked = scheduling.seen("lesser", (pod) =>
    (pod.status?.conditions ?? []).some(
      ({ type, status, reason, message }) =>
        type === "DisruptionTarget" &&
        status === "True" &&
        reason === "PreemptionByScheduler" &&
        message === "default-scheduler: preempting to accommodate a higher priority pod",
    ),
  );
  const nominated = scheduling.seen("urgent", (pod) => pod.status?.nominatedNodeName === "n");
  await scheduling.create("urgent", asking("2", { priority: 100 }));
  await Promise.all([marked, nominated, scheduling.bound("urgent")]);
  assert.equal(scheduling.get("lesser"), undefined);
  const { metadata, status } = scheduling.get("urgent")!;
  assert.equal(status!.nominatedNodeName, undefined);
  assert.deepEqual(
    scheduling.told.filter((line) => line.includes("Preempted") || line.startsWith("urgent")),
    [
      "urgent FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.",
      `lesser Preempted: Preempted by pod ${metadata.uid} on node n`,
      "urgent Scheduled: Successfully assigned default/urgent to n",
    ],
  );
});

const dataVolume = { name: "data", persistentVolumeClaim: { claimName: "data" } };

/** A claim `data` whose volume nobody makes: a pod that uses it waits for it on its node. */
async function claimThatWaits({ admin }: Awaited<ReturnType<typeof startScheduling>>) {
  await admin.request({
    verb: "create",
    resource: storageClasses,
    body: {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "slow" },
      provisioner: "example.com/slow",
      volumeBindingMode: "WaitForFirstConsumer",
    },
  });
  const claims = { resource: persistentVolumeClaims, namespace: "default" };
  await admin.request({
    verb: "create",
    ...claims,
    body: {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "data" },
      spec: {
        storageClassName: "slow",
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Gi" } },
      },
    },
  });
  return claims;
}

test("a pod that still waits for its volumes is not deleted for a more important one", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  await claimThatWaits(scheduling);
  await scheduling.create("lesser", asking("3", { priority: 1, volumes: [dataVolume] }));
  await scheduling.seen("lesser", (pod) => pod.status?.nominatedNodeName === "n");
  const told = scheduling.seen("lesser", (pod) => pod.status?.conditions?.[0]?.status === "False");
  await scheduling.create("urgent", asking("3", { priority: 100 }));
  await Promise.all([scheduling.bound("urgent"), told]);
  const { metadata, status } = scheduling.get("lesser")!;
  assert.equal(metadata.deletionTimestamp, undefined);
  assert.match(status!.conditions![0]!.message!, /preempted by DefaultPreemption|Insufficient cpu/);
  assert.ok(scheduling.told.some((line) => line.startsWith("lesser Preempted: ")));
});

test("a pod whose volumes are being made says where it will run, and no more when that fails", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  const claims = await claimThatWaits(scheduling);
  await scheduling.create("stores", {
    volumes: [dataVolume],
  });
  await scheduling.seen("stores", (pod) => pod.status?.nominatedNodeName === "n");
  // As a provisioner that gives up.
  const annotations = { "volume.kubernetes.io/selected-node": null };
  await scheduling.admin.request({
    verb: "patch",
    ...claims,
    name: "data",
    patch: { type: "merge", body: { metadata: { annotations } } },
  });
  await scheduling.seen("stores", (pod) => pod.status?.conditions?.[0]?.reason === "SchedulerError");
  const { spec, status } = scheduling.get("stores")!;
  assert.equal(
    status!.conditions![0]!.message,
    'running PreBind plugin "VolumeBinding": binding volumes: provisioning failed for PVC "data"',
  );
  assert.equal(status!.nominatedNodeName, undefined);
  assert.equal(spec!.nodeName, undefined);
});

test("a pod that no decision can be made for says so, and the others are placed", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  const spec = {
    schedulerName: "default-scheduler",
    containers: [{ name: "main", image: "i" }],
    // As no validation lets through.
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: 5 } } },
  };
  const metadata = {
    name: "odd",
    namespace: "default",
    uid: "odd",
    creationTimestamp: "2026-01-01T00:00:00Z",
  };
  const odd = { apiVersion: "v1", kind: "Pod", metadata, spec, status: { phase: "Pending" } };
  await scheduling.store.put(
    "/registry/core/pods/default/odd",
    (revision) => ({
      bytes: Buffer.from(
        JSON.stringify({ ...odd, metadata: { ...metadata, resourceVersion: String(revision) } }),
      ),
    }),
    { expect: 0 },
  );
  await scheduling.create("plain", {});
  await scheduling.bound("plain");
  assert.match(scheduling.told[0]!, /^odd FailedScheduling: internal error: /);
  assert.equal(scheduling.nodeOf("odd"), undefined);
});

test("a pod that must be near another waits until that one is there", async (t) => {
  const scheduling = await startScheduling();
  t.after(scheduling.close);
  const term = { labelSelector: { matchLabels: { app: "db" } }, topologyKey: "kubernetes.io/hostname" };
  const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
  await scheduling.create("web", asking("1", { affinity }));
  await scheduling.seen("web", (pod) => Boolean(pod.status?.conditions?.length));
  assert.match(scheduling.get("web")!.status!.conditions![0]!.message!, /didn't match pod affinity rules/);
  await scheduling.create("db", asking("1"), { app: "db" });
  await scheduling.bound("web");
});
