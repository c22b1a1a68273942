import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestClient } from "./testing/client.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";

const newer = "/apis/events.k8s.io/v1/namespaces/default/events";
const older = "/api/v1/namespaces/default/events";
let cluster: TestCluster;
let client: TestClient;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
});
after(() => cluster.close());

const event = (name: string, change: object = {}) => ({
  apiVersion: "events.k8s.io/v1",
  kind: "Event",
  metadata: { name, labels: { told: "here" } },
  regarding: { kind: "Pod", name: "web", namespace: "default" },
  eventTime: "2026-01-02T03:04:05.123456Z",
  note: "it happened",
  action: "Do",
  reason: "Test",
  type: "Normal",
  reportingController: "test-controller",
  reportingInstance: "test-node",
  ...change,
});
const namesOf = ({ json }: { json: any }) => json.items.map((item: any) => item.metadata.name);
const causesOf = ({ json }: { json: any }) => json.details.causes.map((cause: any) => cause.field).sort();

test("an event made in either group is seen in both, each in its form", async () => {
  const watch = client.watch(`/apis/events.k8s.io/v1/events?watch=1&resourceVersion=${cluster.store.head}`);
  const made = await client.post(newer, event("both"));
  assert.equal(made.code, 201);
  assert.equal(made.json.note, "it happened");
  assert.equal(made.json.message, undefined);
  const core = (await client.get(`${older}/both`)).json;
  assert.deepEqual(
    [core.apiVersion, core.message, core.involvedObject.name, core.reportingComponent, core.eventTime],
    ["v1", "it happened", "web", "test-controller", "2026-01-02T03:04:05.123456Z"],
  );
  assert.deepEqual(core.metadata, made.json.metadata);
  assert.deepEqual((await client.get(`${newer}/both`)).json, made.json);
  const old = {
    metadata: { name: "old" },
    involvedObject: { kind: "Pod", name: "web", namespace: "default" },
    message: "the old way",
    reason: "Old",
    source: { component: "tester" },
    firstTimestamp: "2026-01-02T03:04:05Z",
    count: 3,
  };
  assert.equal((await client.post(older, old)).code, 201);
  const shown = (await client.get(`${newer}/old`)).json;
  assert.deepEqual(
    [shown.note, shown.deprecatedSource.component, shown.deprecatedCount, shown.deprecatedFirstTimestamp],
    ["the old way", "tester", 3, "2026-01-02T03:04:05Z"],
  );
  const seen = [await watch.next(), await watch.next()];
  assert.deepEqual(
    seen.map(({ type, object }) => [type, object.apiVersion, object.note]),
    [
      ["ADDED", "events.k8s.io/v1", "it happened"],
      ["ADDED", "events.k8s.io/v1", "the old way"],
    ],
  );
  watch.onClose();
  assert.deepEqual(
    namesOf(await client.get(`${newer}?fieldSelector=reportingController%3Dtest-controller`)),
    ["both"],
  );
  assert.deepEqual(namesOf(await client.get(`${older}?fieldSelector=source%3Dtest-controller`)), ["both"]);
  assert.deepEqual(
    namesOf(await client.get("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dweb")),
    ["both", "old"],
  );
});

test("an event's series grows by patch and by update, and nothing else of it changes", async () => {
  await client.post(newer, event("series"));
  const series = { count: 2, lastObservedTime: "2026-01-02T03:05:00.000000Z" };
  const patched = await client.patch(`${newer}/series`, "strategic", { series });
  assert.deepEqual([patched.code, patched.json.series], [200, series]);
  const grown = { ...patched.json, series: { ...series, count: 100 } };
  const updated = await client.put(`${newer}/series`, grown);
  assert.equal(updated.json.series.count, 100);
  assert.equal((await client.get(`${older}/series`)).json.series.count, 100);
  const changed = await client.patch(`${newer}/series`, "merge", { note: "other", reason: "Other" });
  assert.equal(changed.code, 422);
  assert.deepEqual(causesOf(changed), ["message", "reason"]);
  assert.equal((await client.patch(`${older}/series`, "merge", { message: "other" })).code, 200);
});

test("the newer form is strict about what an event says", async () => {
  const bad = await client.post(
    newer,
    event("bad", { type: "Odd", deprecatedCount: 1, series: { count: 1, lastObservedTime: null } }),
  );
  assert.equal(bad.code, 422);
  for (const field of ["type", "count", "series.count", "series.lastObservedTime"]) {
    assert.ok(causesOf(bad).includes(field), `${field} of ${causesOf(bad)}`);
  }
  const silent = await client.post(newer, event("silent", { reportingController: "", action: "" }));
  assert.deepEqual([...new Set(causesOf(silent))], ["action", "reportingController"]);
});

test("a collection of events is deleted in either form", async () => {
  for (const name of ["set-1", "set-2"])
    await client.post(newer, { ...event(name), metadata: { name, labels: { set: "a" } } });
  assert.equal((await client.delete(`${newer}?labelSelector=set%3Da`)).code, 200);
  assert.deepEqual(namesOf(await client.get(`${older}?labelSelector=set%3Da`)), []);
});
