import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { AdmissionPlugin } from "../../admission/index.ts";
import type { appsv1 } from "../../api/index.ts";
import { forbidden } from "../../machinery/index.ts";
import { controllersOn, type Running } from "../running.suite.ts";
import { ReplicaSetController } from "./replicaset.ts";

const full = new Set<string | undefined>();
/** As a quota's refusal, which names the pod. */
const quota: AdmissionPlugin = {
  name: "quota",
  wants: ({ resource, operation }) => resource.resource === "pods" && operation === "CREATE",
  validate: ({ resource, object }) => {
    if (full.has(object?.metadata.labels?.app))
      throw forbidden(resource, object!.metadata.name!, "exceeded quota: small");
  },
};

let running: Running;
before(async () => {
  running = await controllersOn((context) => [new ReplicaSetController(context)], { admission: [quota] });
});
after(() => running?.close());

const replicaSet = (name: string) => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "main", image: "busybox" }] },
    },
  },
});

const failureIn = ({ status }: appsv1.ReplicaSet) =>
  status?.conditions?.find(({ type }) => type === "ReplicaFailure");

test("pods that are refused are tried again by and by, and the status says so once", async () => {
  const until = (is: (rs: appsv1.ReplicaSet) => boolean) =>
    running.until<appsv1.ReplicaSet>("apps/v1", "replicasets", "refused", is);
  full.add("refused");
  await running.create(replicaSet("refused"));
  const failed = await until((rs) => !!failureIn(rs));
  assert.equal(failureIn(failed)!.reason, "FailedCreate");
  assert.match(failureIn(failed)!.message!, /pods "refused-.+" is forbidden: exceeded quota: small/);
  const tries = () => running.told.filter((line) => line.startsWith("refused FailedCreate: ")).length;
  while (tries() < 6) await new Promise((resolve) => setImmediate(resolve));
  const later = await running.get("apps/v1", "replicasets", "refused");
  assert.equal(later.metadata.resourceVersion, failed.metadata.resourceVersion);

  full.clear();
  const { status } = await until((rs) => rs.status?.replicas === 1 && !failureIn(rs));
  assert.equal(status!.conditions, undefined);
});
