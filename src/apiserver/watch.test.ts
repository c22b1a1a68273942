import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoConfigMap, TestClient } from "./testing/client.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const secrets = "/api/v1/namespaces/default/secrets";
let cluster: TestCluster;
let client: TestClient;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
});
after(() => cluster.close());

const head = async (path = maps) => (await client.get(path)).json.metadata.resourceVersion;
const withLabels = (name: string, labels: Record<string, string>) => ({
  ...demoConfigMap(name),
  metadata: { name, labels },
});
const short = (event: any) => `${event.type} ${event.object.metadata.name}`;

test("a watch from a revision shows what came after it, in order", async () => {
  const from = await head();
  await client.post(maps, demoConfigMap("one"));
  const watch = client.watch(`${maps}?watch=1&resourceVersion=${from}`);
  assert.equal(short(await watch.next()), "ADDED one");
  await client.patch(`${maps}/one`, "merge", { data: { b: "2" } });
  const modified = await watch.next();
  assert.equal(short(modified), "MODIFIED one");
  assert.equal(modified.object.data.b, "2");
  await client.delete(`${maps}/one`);
  const deleted = await watch.next();
  assert.equal(short(deleted), "DELETED one");
  assert.ok(
    Number(deleted.object.metadata.resourceVersion) > Number(modified.object.metadata.resourceVersion),
  );
  watch.close();
});

test("a watch without a revision begins with what there is", async () => {
  await client.post(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "there" } });
  const watch = client.watch(`${secrets}?watch=true`);
  assert.equal(short(await watch.next()), "ADDED there");
  watch.close();
});

test("an object that enters a selection is added, and one that leaves it deleted, as it was", async () => {
  const watch = client.watch(`${maps}?watch=1&labelSelector=in%3Dyes&resourceVersion=${await head()}`);
  await client.post(maps, withLabels("moving", {}));
  await client.patch(`${maps}/moving`, "merge", { metadata: { labels: { in: "yes" } } });
  assert.equal(short(await watch.next()), "ADDED moving");
  await client.patch(`${maps}/moving`, "merge", { data: { c: "3" } });
  assert.equal(short(await watch.next()), "MODIFIED moving");
  const left = await client.patch(`${maps}/moving`, "merge", { metadata: { labels: { in: "no" } } });
  const deleted = await watch.next();
  assert.equal(short(deleted), "DELETED moving");
  assert.equal(deleted.object.metadata.labels.in, "yes");
  assert.equal(deleted.object.metadata.resourceVersion, left.json.metadata.resourceVersion);
  watch.close();
});

test("a watch of one name sees only that one", async () => {
  const watch = client.watch(
    `${maps}?watch=1&fieldSelector=metadata.name%3Dsolo&resourceVersion=${await head()}`,
  );
  await client.post(maps, demoConfigMap("solo-2"));
  await client.post(maps, demoConfigMap("solo"));
  assert.equal(short(await watch.next()), "ADDED solo");
  watch.close();
});

test("a streamed list ends with a bookmark that says so", async () => {
  const watch = client.watch(
    `${secrets}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  );
  assert.equal(short(await watch.next()), "ADDED there");
  const bookmark = await watch.next();
  assert.equal(bookmark.type, "BOOKMARK");
  assert.equal(bookmark.object.metadata.annotations["k8s.io/initial-events-end"], "true");
  watch.close();
  const without = await client.get(`${secrets}?watch=1&sendInitialEvents=true`);
  assert.equal(without.code, 422);
});

test("a watch from before compaction ends in a 410 event", async () => {
  await client.post(maps, demoConfigMap("compacted"));
  await cluster.store.compact(cluster.store.head);
  const watch = client.watch(`${maps}?watch=1&resourceVersion=2`);
  const event = await watch.next();
  assert.equal(event.type, "ERROR");
  assert.equal(event.object.code, 410);
  assert.equal(event.object.reason, "Expired");
  assert.equal(await watch.next(), undefined);
});

test("a watch ends in good order after timeoutSeconds", async () => {
  const watch = client.watch(`${maps}?watch=1&timeoutSeconds=1&resourceVersion=${await head()}`);
  assert.equal(await watch.next(), undefined);
});

test("a watch as Table shows its columns once", async () => {
  const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const watch = client.watch(`${maps}?watch=1&resourceVersion=${await head()}`, { accept });
  await client.post(maps, demoConfigMap("tabled"));
  const first = await watch.next();
  assert.equal(first.object.kind, "Table");
  assert.equal(first.object.rows[0].cells[0], "tabled");
  assert.ok(first.object.columnDefinitions.length > 0);
  await client.delete(`${maps}/tabled`);
  assert.equal((await watch.next()).object.columnDefinitions, null);
  watch.close();
});

test("what cannot be watched is a plain failure", async () => {
  assert.equal((await client.get(`${maps}?watch=1&resourceVersion=x`)).code, 400);
  assert.equal((await client.get(`${maps}?watch=1&labelSelector=%3D`)).code, 400);
  assert.equal((await client.get(`${maps}?watch=1`, { accept: "image/png" })).code, 406);
  const future = client.watch(`${maps}?watch=1&resourceVersion=99999999`);
  assert.equal((await future.next()).object.code, 504);
});
