import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { controllersOn } from "../running.suite.ts";
import { PodGc } from "./pod-gc.ts";
import { collect } from "./select.ts";

const pod = (name: string, change: { status?: object; metadata?: object; node?: string } = {}): corev1.Pod =>
  ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z", ...change.metadata },
    spec: { nodeName: change.node ?? "n", containers: [] },
    status: change.status ?? { phase: "Running" },
  }) as unknown as corev1.Pod;
const node = (ready: "True" | "False", ...taints: string[]): corev1.Node =>
  ({
    metadata: { name: "n" },
    spec: { taints: taints.map((key) => ({ key, effect: "NoExecute" })) },
    status: { conditions: [{ type: "Ready", status: ready }] },
  }) as corev1.Node;

const names = (pods: readonly corev1.Pod[]) => pods.map(({ metadata }) => metadata.name);
const collected = (
  pods: corev1.Pod[],
  change: { node?: corev1.Node; gone?: string[]; endedMax?: number } = {},
) =>
  collect({
    pods,
    node: () => change.node ?? node("True"),
    isGone: (name) => (change.gone ?? []).includes(name),
    endedMax: change.endedMax ?? 100,
  });

const deleted = { deletionTimestamp: "2026-01-01T00:00:00Z" };

test("ended pods above the limit go: evicted ones first, then the oldest", () => {
  const ended = (name: string, day: string, reason?: string) =>
    pod(name, {
      status: { phase: "Failed", ...(reason && { reason }) },
      metadata: { creationTimestamp: `2026-01-${day}T00:00:00Z` },
    });
  const pods = [ended("young", "03"), ended("old", "01"), ended("evicted", "04", "Evicted"), pod("runs")];
  assert.deepEqual(names(collected(pods, { endedMax: 1 }).ended), ["evicted", "old"]);
  assert.deepEqual(names(collected(pods, { endedMax: 3 }).ended), []);
  assert.deepEqual(names(collected(pods, { endedMax: 0 }).ended), [], "0 keeps them all");
});

test("pods of nodes that are gone are orphans", () => {
  const pods = [pod("here"), pod("there", { node: "lost" })];
  assert.deepEqual(names(collected(pods, { gone: ["lost"] }).orphaned), ["there"]);
});

test("a pod that is deleted and has no node yet has nobody who would end it", () => {
  const pods = [pod("bound", { metadata: deleted }), pod("unbound", { metadata: deleted, node: "" })];
  assert.deepEqual(names(collected(pods).unscheduled), ["unbound"]);
});

test("pods on their way out of a node that is out of service are let go", () => {
  const pods = [pod("stays"), pod("goes", { metadata: deleted })];
  const outOfService = "node.kubernetes.io/out-of-service";
  assert.deepEqual(names(collected(pods, { node: node("False", outOfService) }).outOfService), ["goes"]);
  assert.deepEqual(names(collected(pods, { node: node("True", outOfService) }).outOfService), []);
  assert.deepEqual(names(collected(pods, { node: node("False") }).outOfService), []);
});

test("an orphan is failed, told why, and deleted for good; a new node of its name keeps it", async (t) => {
  const running = await controllersOn((context) => [new PodGc(context, { endedMax: 10, quarantineMs: 100 })]);
  t.after(() => running.close());
  await running.create({ apiVersion: "v1", kind: "Node", metadata: { name: "stays" }, spec: {} });
  const onNode = (name: string, nodeName: string) =>
    running.create({
      apiVersion: "v1",
      kind: "Pod",
      // So that what is left can be looked at.
      metadata: { name, finalizers: ["example.com/look"] },
      spec: { nodeName, containers: [{ name: "c", image: "i" }] },
    });
  await onNode("orphan", "lost");
  await onNode("kept", "stays");
  const orphan = await running.until<corev1.Pod>(
    "v1",
    "pods",
    "orphan",
    ({ metadata }) => metadata.deletionTimestamp !== undefined,
  );
  assert.equal(orphan.status!.phase, "Failed");
  const { status, reason, message } = orphan.status!.conditions!.find(
    ({ type }) => type === "DisruptionTarget",
  )!;
  assert.deepEqual([status, reason, message], ["True", "DeletionByPodGC", "PodGC: node no longer exists"]);
  await running.patch("v1", "pods", "orphan", { metadata: { finalizers: null } });
  await running.gone("v1", "pods", "orphan");
  assert.equal((await running.get("v1", "pods", "kept")).metadata.deletionTimestamp, undefined);
});
