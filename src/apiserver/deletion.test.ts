import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoConfigMap, demoPod, TestClient } from "./testing/client.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";

const pods = "/api/v1/namespaces/default/pods";
const configMaps = "/api/v1/namespaces/default/configmaps";
let cluster: TestCluster;
let client: TestClient;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
});
after(() => cluster.close());

async function bind(name: string): Promise<void> {
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name },
    target: { kind: "Node", name: "n" },
  };
  assert.equal((await client.post(`${pods}/${name}/binding`, binding)).code, 201);
}

test("a delete answers with a Status that names what is gone", async () => {
  const made = await client.post(configMaps, demoConfigMap("gone"));
  const { code, json } = await client.delete(`${configMaps}/gone`);
  assert.equal(code, 200);
  assert.deepEqual(json.details, { name: "gone", kind: "configmaps", uid: made.json.metadata.uid });
  assert.equal(json.status, "Success");
  assert.equal((await client.delete(`${configMaps}/gone`)).code, 404);
});

test("a pod on a node is marked, and goes when its node agent says so", async () => {
  await client.post(pods, demoPod("graceful"));
  await bind("graceful");
  const marked = await client.delete(`${pods}/graceful`, { gracePeriodSeconds: 20 });
  assert.equal(marked.json.metadata.deletionGracePeriodSeconds, 20);
  assert.equal(marked.json.metadata.generation, 2);
  const dueS =
    (Date.parse(marked.json.metadata.deletionTimestamp) -
      Date.parse(marked.json.metadata.creationTimestamp)) /
    1_000;
  assert.ok(dueS >= 20 && dueS < 30, `${dueS}`);
  const longer = await client.delete(`${pods}/graceful`, { gracePeriodSeconds: 60 });
  assert.equal(longer.json.metadata.deletionGracePeriodSeconds, 20);
  const shorter = await client.delete(`${pods}/graceful`, { gracePeriodSeconds: 5 });
  assert.equal(shorter.json.metadata.deletionGracePeriodSeconds, 5);
  const now = await client.delete(`${pods}/graceful`, { gracePeriodSeconds: 0 });
  assert.equal(now.json.kind, "Pod");
  assert.equal((await client.get(`${pods}/graceful`)).code, 404);
});

test("a pod without a node goes at once", async () => {
  await client.post(pods, demoPod("pending"));
  assert.equal((await client.delete(`${pods}/pending`)).json.kind, "Pod");
  assert.equal((await client.get(`${pods}/pending`)).code, 404);
});

test("a finalizer holds an object until it is taken away", async () => {
  const body = { ...demoConfigMap("held"), metadata: { name: "held", finalizers: ["example.com/hold"] } };
  await client.post(configMaps, body);
  const marked = await client.delete(`${configMaps}/held`);
  assert.ok(marked.json.metadata.deletionTimestamp);
  assert.equal(marked.json.metadata.deletionGracePeriodSeconds, 0);
  const again = await client.post(configMaps, demoConfigMap("held"));
  assert.match(again.json.message, /^object is being deleted: configmaps "held" already exists/);
  assert.equal(
    (
      await client.patch(`${configMaps}/held`, "merge", {
        metadata: { finalizers: ["example.com/hold", "example.com/more"] },
      })
    ).code,
    422,
  );
  assert.equal(
    (await client.patch(`${configMaps}/held`, "merge", { metadata: { finalizers: null } })).code,
    200,
  );
  assert.equal((await client.get(`${configMaps}/held`)).code, 404);
});

test("the propagation policy leaves its finalizer for the garbage collector", async () => {
  for (const [policy, finalizer] of [
    ["Foreground", "foregroundDeletion"],
    ["Orphan", "orphan"],
  ] as const) {
    const name = policy.toLowerCase();
    await client.post(configMaps, demoConfigMap(name));
    const { json } = await client.delete(`${configMaps}/${name}`, { propagationPolicy: policy });
    assert.deepEqual(json.metadata.finalizers, [finalizer]);
  }
  await client.post(configMaps, demoConfigMap("p"));
  assert.equal((await client.delete(`${configMaps}/p`, { propagationPolicy: "Sideways" })).code, 422);
  assert.equal((await client.delete(`${configMaps}/p?propagationPolicy=Background`)).code, 200);
});

test("preconditions that do not hold are conflicts", async () => {
  const { json } = await client.post(configMaps, demoConfigMap("pre"));
  const wrong = await client.delete(`${configMaps}/pre`, { preconditions: { uid: "other" } });
  assert.equal(wrong.code, 409);
  assert.match(wrong.json.message, /the UID in the precondition \(other\) does not match the UID in record/);
  const { uid, resourceVersion } = json.metadata;
  assert.equal(
    (await client.delete(`${configMaps}/pre`, { preconditions: { resourceVersion: "1" } })).code,
    409,
  );
  assert.equal(
    (await client.delete(`${configMaps}/pre`, { preconditions: { uid, resourceVersion } })).code,
    200,
  );
});

test("a dry run of a delete deletes nothing", async () => {
  await client.post(configMaps, demoConfigMap("dry"));
  assert.equal((await client.delete(`${configMaps}/dry`, { dryRun: ["All"] })).code, 200);
  assert.equal((await client.get(`${configMaps}/dry`)).code, 200);
});

test("a collection is deleted as its selectors say", async () => {
  for (const i of [1, 2, 3]) {
    const body = {
      ...demoConfigMap(`many-${i}`),
      metadata: { name: `many-${i}`, labels: { n: String(i), all: "yes" } },
    };
    await client.post(configMaps, body);
  }
  const { json } = await client.delete(`${configMaps}?labelSelector=all%3Dyes,n+notin+(3)`);
  assert.deepEqual(
    json.items.map((item: any) => item.metadata.name),
    ["many-1", "many-2"],
  );
  const left = await client.get(`${configMaps}?labelSelector=all%3Dyes`);
  assert.deepEqual(
    left.json.items.map((item: any) => item.metadata.name),
    ["many-3"],
  );
});

test("a namespace terminates until its finalizer is gone", async () => {
  const namespaces = "/api/v1/namespaces";
  await client.post(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "leaving" } });
  const marked = await client.delete(`${namespaces}/leaving`);
  assert.equal(marked.json.status.phase, "Terminating");
  assert.deepEqual(marked.json.spec.finalizers, ["kubernetes"]);
  const { json } = await client.get(`${namespaces}/leaving`);
  assert.equal((await client.put(`${namespaces}/leaving/finalize`, { ...json, spec: {} })).code, 200);
  assert.equal((await client.get(`${namespaces}/leaving`)).code, 404);
});

test("an eviction deletes the pod gracefully", async () => {
  await client.post(pods, demoPod("evicted"));
  await bind("evicted");
  const eviction = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: "evicted" },
    deleteOptions: { gracePeriodSeconds: 7 },
  };
  const { code, json } = await client.post(`${pods}/evicted/eviction`, eviction);
  assert.equal(code, 201);
  assert.equal(json.status, "Success");
  assert.equal((await client.get(`${pods}/evicted`)).json.metadata.deletionGracePeriodSeconds, 7);
});

test("a pod is bound once", async () => {
  await client.post(pods, demoPod("bound"));
  await bind("bound");
  const { json } = await client.get(`${pods}/bound`);
  assert.equal(json.spec.nodeName, "n");
  assert.equal(
    json.status.conditions.find((condition: any) => condition.type === "PodScheduled").status,
    "True",
  );
  const again = await client.post(`${pods}/bound/binding`, {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name: "bound" },
    target: { name: "m" },
  });
  assert.equal(again.code, 409);
  assert.match(again.json.message, /already assigned to node "n"/);
});
