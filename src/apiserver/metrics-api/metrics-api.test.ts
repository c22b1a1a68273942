import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { NodeApi, NodePage } from "../../client/index.ts";
import { serviceUnavailable } from "../../machinery/index.ts";
import { TestClient } from "../testing/client.ts";
import { startTestCluster, type TestCluster } from "../testing/cluster.ts";

let cluster: TestCluster;
let client: TestClient;
const uids = new Map<string, string>();
const time = "2026-01-01T00:00:00Z";

function page(): NodePage {
  const stats = (nanoCores: number, bytes: number) => ({
    cpu: { time, usageNanoCores: nanoCores },
    memory: { time, workingSetBytes: bytes },
  });
  const pods = ["web", "db"].map((name) => ({
    podRef: { name, namespace: "default", uid: uids.get(name) },
    containers: [
      { name: "app", ...stats(250_000_000, 8 * 1024 * 1024) },
      { name: "side", ...stats(1_234, 1024) },
    ],
  }));
  return {
    code: 200,
    mediaType: "application/json",
    headers: ["stats-window-ms", "1500"],
    body: Buffer.from(JSON.stringify({ node: stats(500_000_000, 1024 ** 3), pods })),
  };
}

const node = { page: async () => page() } as unknown as NodeApi;

before(async () => {
  cluster = await startTestCluster({
    nodes: {
      connect: async (name) => {
        if (name === "n1") return node;
        throw serviceUnavailable("it is off");
      },
    },
  });
  client = new TestClient(cluster);
  for (const name of ["n1", "n2"])
    await client.post("/api/v1/nodes", { metadata: { name, labels: { zone: name } } });
  for (const name of ["web", "db", "new"]) {
    const pod = {
      metadata: { name, labels: { app: name } },
      spec: { nodeName: "n1", containers: [{ name: "app", image: "i" }] },
    };
    const { json } = await client.post("/api/v1/namespaces/default/pods", pod);
    uids.set(name, json.metadata.uid);
    const phase = name === "new" ? "Pending" : "Running";
    await client.patch(`/api/v1/namespaces/default/pods/${name}/status`, "merge", { status: { phase } });
  }
});
after(() => cluster?.close());

const root = "/apis/metrics.k8s.io/v1beta1";

test("a node's metrics are what its agent says; one that is off has none", async () => {
  const { json } = await client.get(`${root}/nodes`);
  assert.deepEqual(json, {
    kind: "NodeMetricsList",
    apiVersion: "metrics.k8s.io/v1beta1",
    metadata: {},
    items: [
      {
        kind: "NodeMetrics",
        apiVersion: "metrics.k8s.io/v1beta1",
        metadata: { name: "n1", creationTimestamp: time, labels: { zone: "n1" } },
        timestamp: time,
        window: "1.5s",
        usage: { cpu: "500m", memory: "1Gi" },
      },
    ],
  });
  assert.equal((await client.get(`${root}/nodes/n1`)).json.usage.cpu, "500m");
  const gone = await client.get(`${root}/nodes/n2`);
  assert.deepEqual([gone.code, gone.json.message], [404, 'nodes.metrics.k8s.io "n2" not found']);
});

test("a pod's metrics are those of its containers; pods are chosen by label, field and namespace", async () => {
  const names = async (path: string) =>
    (await client.get(`${root}/${path}`)).json.items.map(({ metadata }: any) => metadata.name);
  assert.deepEqual(await names("namespaces/default/pods"), ["db", "web"]);
  assert.deepEqual(await names("pods?labelSelector=app%3Dweb"), ["web"]);
  assert.deepEqual(await names("pods?fieldSelector=metadata.name%3Ddb"), ["db"]);
  assert.deepEqual(await names("namespaces/kube-system/pods"), []);
  const { json } = await client.get(`${root}/namespaces/default/pods/web`);
  assert.deepEqual(json.containers, [
    { name: "app", usage: { cpu: "250m", memory: "8Mi" } },
    { name: "side", usage: { cpu: "1234n", memory: "1Ki" } },
  ]);
  const pending = await client.get(`${root}/namespaces/default/pods/new`);
  assert.deepEqual(
    [pending.code, pending.json.message],
    [404, 'pods.metrics.k8s.io "default/new" not found'],
  );
});

test("as a table they have the columns of metrics-server", async () => {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  const { json } = await client.get(`${root}/namespaces/default/pods`, { accept });
  assert.equal(json.kind, "Table");
  assert.deepEqual(
    json.columnDefinitions.map(({ name }: any) => name),
    ["Name", "cpu", "memory", "Window"],
  );
  assert.deepEqual(json.rows[1].cells, ["web", "250001234n", "8193Ki", "1.5s"]);
  assert.equal(json.rows[1].object.metadata.name, "web");
});

test("they are in discovery, and only read", async () => {
  const { json } = await client.get(root);
  assert.deepEqual(
    json.resources.map(({ name, kind, namespaced, verbs }: any) => [name, kind, namespaced, verbs.join()]),
    [
      ["nodes", "NodeMetrics", false, "get,list"],
      ["pods", "PodMetrics", true, "get,list"],
    ],
  );
  const groups = (await client.get("/apis")).json.groups.map(({ name }: any) => name);
  assert.ok(groups.includes("metrics.k8s.io"));
  assert.equal((await client.post(`${root}/nodes`, {})).code, 405);
  assert.equal((await client.get(`${root}/nodes?watch=1`)).code, 405);
  assert.equal((await client.get(`${root}/services`)).code, 404);
  assert.equal((await client.get(`${root}/nodes`, { accept: "application/xml" })).code, 406);
  const { code, json: refused } = await client.send("GET", `${root}/nodes`, { as: "anonymous" });
  assert.equal(code, 403);
  assert.match(refused.message, /cannot list resource "nodes" in API group "metrics\.k8s\.io"/);
});
