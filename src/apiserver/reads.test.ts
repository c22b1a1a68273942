import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { builtinSchemas } from "../api/index.ts";
import { decodeProtobuf } from "../machinery/index.ts";
import { demoConfigMap, demoPod, TestClient } from "./testing/client.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";

const pods = "/api/v1/namespaces/default/pods";
const maps = "/api/v1/namespaces/paged/configmaps";
const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };
let cluster: TestCluster;
let client: TestClient;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
  for (let i = 0; i < 10; i++) {
    const metadata = { name: `m-${i}`, labels: { parity: i % 2 ? "odd" : "even" } };
    assert.equal((await client.post(maps, { ...demoConfigMap("x"), metadata })).code, 201);
  }
});
after(() => cluster.close());

const namesOf = (json: any) => json.items.map((item: any) => item.metadata.name);

test("pages show one state, whatever is written in between", async () => {
  const first = await client.get(`${maps}?limit=4`);
  assert.deepEqual(namesOf(first.json), ["m-0", "m-1", "m-2", "m-3"]);
  assert.equal(first.json.metadata.remainingItemCount, 6);
  await client.post(maps, demoConfigMap("m-45"));
  const second = await client.get(`${maps}?limit=4&continue=${first.json.metadata.continue}`);
  assert.deepEqual(namesOf(second.json), ["m-4", "m-5", "m-6", "m-7"]);
  assert.equal(second.json.metadata.resourceVersion, first.json.metadata.resourceVersion);
  const last = await client.get(`${maps}?limit=4&continue=${second.json.metadata.continue}`);
  assert.deepEqual(namesOf(last.json), ["m-8", "m-9"]);
  assert.equal(last.json.metadata.continue, undefined);
  await client.delete(`${maps}/m-45`);
});

test("a page of selected objects is full, and does not count the rest", async () => {
  const first = await client.get(`${maps}?limit=3&labelSelector=parity%3Dodd`);
  assert.deepEqual(namesOf(first.json), ["m-1", "m-3", "m-5"]);
  assert.equal(first.json.metadata.remainingItemCount, undefined);
  const rest = await client.get(
    `${maps}?limit=3&labelSelector=parity%3Dodd&continue=${first.json.metadata.continue}`,
  );
  assert.deepEqual(namesOf(rest.json), ["m-7", "m-9"]);
});

test("a page past compaction is a 410 with a way to go on", async () => {
  const first = await client.get(`${maps}?limit=4`);
  await client.patch(`${maps}/m-9`, "merge", { data: { late: "yes" } });
  await cluster.store.compact(cluster.store.head);
  const { code, json } = await client.get(`${maps}?limit=4&continue=${first.json.metadata.continue}`);
  assert.equal(code, 410);
  assert.equal(json.reason, "Expired");
  const inconsistent = await client.get(`${maps}?continue=${json.metadata.continue}`);
  assert.deepEqual(namesOf(inconsistent.json), ["m-4", "m-5", "m-6", "m-7", "m-8", "m-9"]);
  assert.equal((await client.get(`${maps}?resourceVersion=2&resourceVersionMatch=Exact`)).code, 410);
  assert.equal((await client.get(`${maps}?continue=nonsense`)).code, 400);
});

test("resourceVersion asks for a state, exactly or at least", async () => {
  const before = await client.get(maps);
  const { resourceVersion } = before.json.metadata;
  await client.patch(`${maps}/m-0`, "merge", { data: { new: "yes" } });
  const exact = await client.get(`${maps}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
  assert.deepEqual(exact.json, before.json);
  const newer = await client.get(
    `${maps}?resourceVersion=${resourceVersion}&resourceVersionMatch=NotOlderThan`,
  );
  assert.equal(newer.json.items[0].data.new, "yes");
  assert.equal((await client.get(`${maps}?resourceVersion=0`)).json.items.length, 10);
  const future = await client.get(`${maps}?resourceVersion=999999`);
  assert.equal(future.code, 504);
  assert.equal(future.json.details.causes[0].reason, "ResourceVersionTooLarge");
  assert.equal((await client.get(`${maps}/m-0?resourceVersion=999999`)).code, 504);
  assert.equal((await client.get(`${maps}?resourceVersion=x`)).code, 400);
  assert.equal((await client.get(`${maps}?resourceVersionMatch=Exact`)).code, 422);
});

test("selectors choose by labels and fields; unknown ones are refused", async () => {
  assert.equal((await client.get(`${maps}?labelSelector=parity+in+(odd),!gone`)).json.items.length, 5);
  assert.deepEqual(namesOf((await client.get(`${maps}?fieldSelector=metadata.name%3Dm-3`)).json), ["m-3"]);
  assert.deepEqual(namesOf((await client.get("/api/v1/configmaps?fieldSelector=metadata.name%3Dm-3")).json), [
    "m-3",
  ]);
  assert.equal((await client.get(`${maps}?fieldSelector=metadata.name!%3Dm-3`)).json.items.length, 9);
  assert.equal((await client.get(`${maps}?fieldSelector=data.a%3D1`)).code, 400);
  assert.equal((await client.get(`${maps}?labelSelector=a+in+x`)).code, 400);
});

test("a list as Table has rows, and columns as kubectl shows them", async () => {
  await client.post(pods, demoPod("rowed"));
  const { json, headers } = await client.get(pods, table);
  assert.equal(headers["content-type"], "application/json");
  assert.equal(json.kind, "Table");
  assert.deepEqual(json.columnDefinitions.map((column: any) => column.name).slice(0, 5), [
    "Name",
    "Ready",
    "Status",
    "Restarts",
    "Age",
  ]);
  const [row] = json.rows;
  assert.deepEqual(
    row.cells.slice(0, 4),
    ["rowed", "0/1", "Pending", 0].map((cell, i) => (i === 3 ? row.cells[3] : cell)),
  );
  assert.match(row.cells[4], /^\d+s$/);
  assert.equal(row.object.kind, "PartialObjectMetadata");
  assert.equal(
    (await client.get(`${pods}/rowed?includeObject=Object`, table)).json.rows[0].object.kind,
    "Pod",
  );
  assert.equal((await client.get(`${pods}/rowed?includeObject=None`, table)).json.rows[0].object, null);
  assert.equal((await client.get(`${pods}?includeObject=All`, table)).code, 400);
});

test("older clients ask for tables and metadata of the version before", async () => {
  const as = (what: string) => ({ accept: `application/json;as=${what};v=v1beta1;g=meta.k8s.io` });
  const list = (await client.get(`${maps}?limit=2`, as("Table"))).json;
  assert.deepEqual([list.kind, list.apiVersion, list.rows.length], ["Table", "meta.k8s.io/v1beta1", 2]);
  assert.equal(list.rows[0].object.apiVersion, "meta.k8s.io/v1beta1");
  const one = (await client.get(`${maps}/m-1`, as("Table"))).json;
  assert.deepEqual([one.apiVersion, one.rows[0].cells[0]], ["meta.k8s.io/v1beta1", "m-1"]);
  const partial = (await client.get(maps, as("PartialObjectMetadataList"))).json;
  assert.deepEqual(
    [partial.apiVersion, partial.items[0].apiVersion],
    ["meta.k8s.io/v1beta1", "meta.k8s.io/v1beta1"],
  );
  // Both are kept apart.
  assert.equal((await client.get(maps, table)).json.rows[0].object.apiVersion, "meta.k8s.io/v1");
  assert.equal((await client.get(maps, { accept: as("Table").accept.replace("v1beta1", "v2") })).code, 406);
});

test("other forms: metadata only, YAML, protobuf; and a 406 for what there is not", async () => {
  const partial = await client.get(maps, {
    accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  });
  assert.equal(partial.json.kind, "PartialObjectMetadataList");
  assert.equal(partial.json.items[0].data, undefined);
  assert.equal(partial.json.items.length, 10);
  const yaml = await client.get(`${maps}/m-1`, { accept: "application/yaml" });
  assert.match(yaml.text, /^kind: ConfigMap$/m);
  const proto = await client.get(`${maps}/m-1`, { accept: "application/vnd.kubernetes.protobuf" });
  assert.equal(proto.bytes.subarray(0, 4).toString("latin1"), "k8s\0");
  assert.equal((await client.get(`${maps}/m-1`, { accept: "text/html" })).code, 406);
  const posted = await client.post(pods, proto.bytes, {
    "content-type": "application/vnd.kubernetes.protobuf",
  });
  assert.match(posted.json.message, /ConfigMap in version "v1" cannot be handled as a Pod/);
});

test("a big list is compressed for a client that asks", async () => {
  const big = "x".repeat(50_000);
  await Promise.all(
    [1, 2, 3, 4, 5, 6, 7, 8].map((i) =>
      client.post("/api/v1/namespaces/big/configmaps", demoConfigMap(`b-${i}`, { big })),
    ),
  );
  const path = "/api/v1/namespaces/big/configmaps";
  const plain = await client.get(path);
  assert.equal(plain.json.items.length, 8);
  const zipped = await client.get(path, { "accept-encoding": "gzip" });
  assert.equal(zipped.headers["content-encoding"], "gzip");
  assert.ok(zipped.bytes.length < plain.bytes.length / 10);
  assert.deepEqual(JSON.parse(gunzipSync(zipped.bytes).toString()).items, plain.json.items);
  assert.equal(
    (await client.get(`${path}?limit=1`, { "accept-encoding": "gzip" })).headers["content-encoding"],
    undefined,
  );
});

test("a list as YAML reads back as the same list", async () => {
  const { text } = await client.get(maps, { accept: "application/yaml" });
  const { items } = parse(text, { version: "1.1" });
  assert.deepEqual(items, (await client.get(maps)).json.items);
  const empty = await client.get("/api/v1/namespaces/none/configmaps", { accept: "application/yaml" });
  assert.deepEqual(parse(empty.text).items, []);
});

test("namespaces in a field selector bound a list over all of them", async () => {
  const all = "/api/v1/configmaps?fieldSelector=metadata.namespace%3D";
  assert.equal((await client.get(`${all}paged`)).json.items.length, 10);
  assert.equal((await client.get(`${all}nowhere`)).json.items.length, 0);
  assert.equal((await client.get(`${maps}?fieldSelector=metadata.namespace%3Dother`)).json.items.length, 0);
});

test("a list as protobuf reads back as the same list", async () => {
  const { bytes } = await client.get(maps, { accept: "application/vnd.kubernetes.protobuf" });
  const list = decodeProtobuf(bytes, builtinSchemas);
  assert.equal(list.kind, "ConfigMapList");
  const names = (await client.get(maps)).json.items.map((item: any) => item.metadata.name);
  assert.deepEqual(namesOf(list), names);
});
