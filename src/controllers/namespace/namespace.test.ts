import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { configMaps, namespaces, pods, type Transport } from "../../client/index.ts";
import { isStatus } from "../../machinery/index.ts";
import { controllersOn } from "../running.suite.ts";
import { NamespaceController } from "./namespace.ts";

const namespace = "leaves";

async function fill(admin: Transport): Promise<void> {
  const create = (resource: typeof pods, body: any) =>
    admin.request({ verb: "create", resource, namespace, body });
  await admin.request({
    verb: "create",
    resource: namespaces,
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  await create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "held", finalizers: ["example.com/hold"] },
    spec: { containers: [{ name: "c", image: "i" }] },
  });
  await create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" } });
}

test("a namespace lets its pods go before everything else, and says what holds it back", async (t) => {
  const { admin, until, gone, close } = await controllersOn((context) => [new NamespaceController(context)]);
  t.after(close);
  await fill(admin);
  await admin.request({ verb: "delete", resource: namespaces, name: namespace });
  const { status } = await until<corev1.Namespace>("v1", "namespaces", namespace, (object) =>
    Boolean(object.status?.conditions?.length),
  );
  assert.equal(status!.phase, "Terminating");
  assert.deepEqual(
    status!.conditions!.map(({ type, status, message }) => [type, status, message]),
    [
      ["NamespaceDeletionDiscoveryFailure", "False", "All resources successfully discovered"],
      ["NamespaceDeletionGroupVersionParsingFailure", "False", "All legacy kube types successfully parsed"],
      [
        "NamespaceDeletionContentFailure",
        "False",
        "All content successfully deleted, may be waiting on finalization",
      ],
      ["NamespaceContentRemaining", "True", "Some resources are remaining: pods. has 1 resource instances"],
      [
        "NamespaceFinalizersRemaining",
        "True",
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
      ],
    ],
  );
  const found = (resource: typeof pods, name: string) =>
    admin.request({ verb: "get", resource, namespace, name });
  assert.ok((await found(pods, "held")).object.metadata.deletionTimestamp);
  assert.equal((await found(configMaps, "settings")).object.metadata.deletionTimestamp, undefined);
  await admin.request({
    verb: "patch",
    resource: pods,
    namespace,
    name: "held",
    patch: { type: "merge", body: { metadata: { finalizers: null } } },
  });
  await gone("v1", "namespaces", namespace);
  await assert.rejects(found(configMaps, "settings"), (error) => isStatus(error, "NotFound"));
});
