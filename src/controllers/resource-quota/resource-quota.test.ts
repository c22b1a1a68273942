import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { controllersOn, type Running } from "../running.suite.ts";
import { ResourceQuotaController } from "./resource-quota.ts";

let running: Running;
before(async () => {
  running = await controllersOn((context) => [new ResourceQuotaController(context)]);
});
after(() => running?.close());

const used = (name: string, is: (used: Record<string, string>) => boolean) =>
  running.until<corev1.ResourceQuota>("v1", "resourcequotas", name, ({ status }) => is(status?.used ?? {}));

test("a new quota is counted at once, and again when something goes or ends", async () => {
  const pod = (name: string) =>
    running.create({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { containers: [{ name: "c", image: "i", resources: { requests: { cpu: "500m" } } }] },
    });
  await pod("first");
  await pod("second");
  await running.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } });
  const hard = { pods: "5", cpu: "2", configmaps: "3", "count/configmaps": "3", secrets: "1" };
  await running.create({ apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "q" }, spec: { hard } });
  const { status } = await used("q", (amounts) => amounts.pods === "2");
  assert.deepEqual(status, {
    hard,
    used: { pods: "2", cpu: "1", configmaps: "1", "count/configmaps": "1", secrets: "0" },
  });
  await running.remove("v1", "configmaps", "c");
  await used("q", (amounts) => amounts.configmaps === "0");
  await running.patchStatus("v1", "pods", "first", { phase: "Succeeded" });
  await used("q", (amounts) => amounts.pods === "1" && amounts.cpu === "500m");
  await running.remove("v1", "pods", "second");
  await used("q", (amounts) => amounts.pods === "0" && amounts.cpu === "0");
});

test("a quota that is changed has its new limits in its status", async () => {
  const name = "changed";
  await running.create({
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name },
    spec: { hard: { secrets: "1" } },
  });
  await used(name, (amounts) => amounts.secrets === "0");
  await running.patch("v1", "resourcequotas", name, { spec: { hard: { secrets: "7", pods: "2" } } });
  const { status } = await used(name, (amounts) => amounts.pods !== undefined);
  assert.deepEqual(status!.hard, { secrets: "7", pods: "2" });
});
