import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { corev1, policyv1 } from "../../api/index.ts";
import type { OwnerReference } from "../../machinery/index.ts";
import { controllersOn, type Running } from "../running.suite.ts";
import { DisruptionController } from "./disruption.ts";

let running: Running;
before(async () => {
  running = await controllersOn((context) => [new DisruptionController(context)]);
});
after(() => running?.close());

const labels = (app: string) => ({ matchLabels: { app } });
const budget = (name: string, spec: object) =>
  running.create({ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name }, spec });
const runningPod = async (
  name: string,
  app: string,
  change: { ready?: boolean; owner?: OwnerReference } = {},
) => {
  const metadata = {
    name,
    labels: { app },
    ...(change.owner && { ownerReferences: [{ controller: true, ...change.owner }] }),
  };
  const spec = { nodeName: "n", terminationGracePeriodSeconds: 30, containers: [{ name: "c", image: "i" }] };
  await running.create({ apiVersion: "v1", kind: "Pod", metadata, spec });
  const status = {
    phase: "Running",
    conditions: [{ type: "Ready", status: change.ready === false ? "False" : "True" }],
  };
  return running.patchStatus("v1", "pods", name, status);
};
const statusOf = (name: string, is: (status: policyv1.PodDisruptionBudgetStatus) => boolean) =>
  running.until<policyv1.PodDisruptionBudget>("policy/v1", "poddisruptionbudgets", name, ({ status }) =>
    is(status ?? {}),
  );
const evict = (name: string, options: object = {}) =>
  running.admin.request({
    verb: "create",
    resource: { group: "", version: "v1", resource: "pods" },
    namespace: "default",
    name,
    subresource: "eviction",
    body: { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } },
    options,
  });

test("evictions are allowed until the budget is spent, and again when pods are back", async () => {
  await budget("web", { selector: labels("web"), minAvailable: 1 });
  await runningPod("web-1", "web");
  await runningPod("web-2", "web");
  await statusOf("web", ({ disruptionsAllowed }) => disruptionsAllowed === 1);
  await evict("web-1");
  const gone = await running.get<corev1.Pod>("v1", "pods", "web-1");
  assert.ok(gone.metadata.deletionTimestamp);
  const said = gone.status!.conditions!.find(({ type }) => type === "DisruptionTarget")!;
  assert.deepEqual(
    [said.status, said.reason, said.message],
    ["True", "EvictionByEvictionAPI", "Eviction API: evicting"],
  );
  await assert.rejects(evict("web-2"), /Cannot evict pod as it would violate the pod's disruption budget/);
  await runningPod("web-3", "web");
  await statusOf("web", ({ disruptionsAllowed }) => disruptionsAllowed === 1);
  await evict("web-2", { dryRun: ["All"] });
  assert.equal((await running.get("v1", "pods", "web-2")).metadata.deletionTimestamp, undefined);
  await evict("web-2");
});

test("what controllers want is asked of their scale, a Deployment's above a ReplicaSet's", async () => {
  const template = {
    metadata: { labels: { app: "scaled" } },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  const spec = { selector: labels("scaled"), template };
  const deployment = await running.create({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "scaled" },
    spec: { ...spec, replicas: 4 },
  });
  const above = { apiVersion: "apps/v1", kind: "Deployment", name: "scaled", uid: deployment.metadata.uid! };
  const set = await running.create({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { name: "scaled-1", ownerReferences: [{ ...above, controller: true }] },
    spec: { ...spec, replicas: 2 },
  });
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "scaled-1", uid: set.metadata.uid! };
  await budget("scaled", { selector: labels("scaled"), maxUnavailable: "50%" });
  for (const i of [1, 2, 3]) await runningPod(`scaled-1-${i}`, "scaled", { owner });
  const { status } = await statusOf("scaled", ({ currentHealthy }) => currentHealthy === 3);
  assert.equal(status!.expectedPods, 4);
  assert.equal(status!.desiredHealthy, 2);
  assert.equal(status!.disruptionsAllowed, 1);
});

test("a budget over pods of an unknown controller fails, and says so", async () => {
  const owner = { apiVersion: "example.com/v1", kind: "Thing", name: "t", uid: "u" };
  await budget("odd", { selector: labels("odd"), maxUnavailable: 1 });
  await runningPod("odd-1", "odd", { owner });
  await statusOf("odd", ({ conditions }) => conditions?.[0]?.reason === "SyncFailed");
  await assert.rejects(evict("odd-1"), (error: any) => {
    assert.equal(
      error.status.details.causes[0].message,
      'The disruption budget odd does not allow evicting pods currently because it failed sync: found no controllers for pod "odd-1"',
    );
    return true;
  });
});

test("pods that are not ready may go while enough others are, or if the budget says so", async () => {
  await budget("strict", { selector: labels("strict"), minAvailable: 2 });
  await runningPod("strict-1", "strict");
  await runningPod("strict-bad", "strict", { ready: false });
  await statusOf("strict", ({ expectedPods, currentHealthy }) => expectedPods === 2 && currentHealthy === 1);
  await assert.rejects(evict("strict-bad"), /violate the pod's disruption budget/);
  await runningPod("strict-2", "strict");
  await statusOf("strict", ({ currentHealthy }) => currentHealthy === 2);
  await evict("strict-bad");

  await budget("lax", {
    selector: labels("lax"),
    minAvailable: 2,
    unhealthyPodEvictionPolicy: "AlwaysAllow",
  });
  await runningPod("lax-bad", "lax", { ready: false });
  await statusOf("lax", ({ expectedPods }) => expectedPods === 1);
  await evict("lax-bad");
});

test("a pod that runs not yet, or not any more, is no loss", async () => {
  await budget("early", { selector: labels("early"), minAvailable: 1 });
  const spec = { containers: [{ name: "c", image: "i" }] };
  await running.create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "early-1", labels: { app: "early" } },
    spec,
  });
  await evict("early-1");
});

test("a pod of two budgets can't be evicted", async () => {
  await budget("one", { selector: labels("both"), minAvailable: 0 });
  await budget("two", { selector: labels("both"), minAvailable: 0 });
  await runningPod("both-1", "both");
  await assert.rejects(evict("both-1"), /more than one PodDisruptionBudget, which the eviction subresource/);
});
