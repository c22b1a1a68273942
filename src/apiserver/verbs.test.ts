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

test("a new object has what only the server decides, and says who wrote it", async () => {
  const body = demoPod("fresh", { uid: "mine", creationTimestamp: "2000-01-01T00:00:00Z", generation: 7 });
  const { code, json } = await client.post(`${pods}?fieldManager=tester`, body);
  assert.equal(code, 201);
  assert.match(json.metadata.uid, /^[0-9a-f-]{36}$/);
  assert.notEqual(json.metadata.creationTimestamp, "2000-01-01T00:00:00Z");
  assert.equal(json.metadata.generation, 1);
  assert.equal(json.metadata.namespace, "default");
  assert.equal(json.status.phase, "Pending");
  assert.equal(json.spec.restartPolicy, "Always");
  assert.equal(json.metadata.managedFields[0].manager, "tester");
  assert.ok(Number(json.metadata.resourceVersion) > 0);
  assert.deepEqual((await client.get(`${pods}/fresh`)).json, json);
});

test("a generated name ends in five characters, and twice asked is twice made", async () => {
  const body = { ...demoPod("x"), metadata: { generateName: "web-" } };
  const names = await Promise.all([1, 2].map(async () => (await client.post(pods, body)).json.metadata.name));
  for (const name of names) assert.match(name, /^web-[a-z0-9]{5}$/);
  assert.notEqual(names[0], names[1]);
});

test("a name that is taken is a 409 that says so", async () => {
  await client.post(pods, demoPod("taken"));
  const { code, json } = await client.post(pods, demoPod("taken"));
  assert.equal(code, 409);
  assert.equal(json.reason, "AlreadyExists");
  assert.equal(json.message, 'pods "taken" already exists');
  assert.deepEqual(json.details, { name: "taken", kind: "pods" });
});

test("a bad manifest gets every error at once, with its path", async () => {
  const body = demoPod("Bad_Name");
  (body.spec as any).containers = [
    { name: "a", image: "x", ports: [{ containerPort: 99_999 }] },
    { name: "a", image: "" },
  ];
  const { code, json } = await client.post(pods, body);
  assert.equal(code, 422);
  assert.equal(json.reason, "Invalid");
  const fields = json.details.causes.map((cause: any) => cause.field);
  for (const field of [
    "metadata.name",
    "spec.containers[0].ports[0].containerPort",
    "spec.containers[1].name",
  ]) {
    assert.ok(fields.includes(field), `${field} in ${fields}`);
  }
});

test("an unknown field is refused, warned of or dropped, as fieldValidation says", async () => {
  const body = (name: string) => ({ ...demoPod(name), spec: { ...demoPod(name).spec, foo: 1 } });
  const strict = await client.post(`${pods}?fieldValidation=Strict`, body("strict"));
  assert.equal(strict.code, 400);
  assert.match(strict.json.message, /strict decoding error: unknown field "spec\.foo"/);
  const warned = await client.post(pods, body("warned"));
  assert.equal(warned.code, 201);
  assert.equal(warned.headers["warning"], '299 - "unknown field \\"spec.foo\\""');
  const ignored = await client.post(`${pods}?fieldValidation=Ignore`, body("ignored"));
  assert.equal(ignored.headers["warning"], undefined);
  assert.equal(ignored.json.spec.foo, undefined);
});

test("a field given twice is refused by strict validation", async () => {
  const text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"twice"},"data":{"a":"1","a":"2"}}';
  const { code, json } = await client.post(`${configMaps}?fieldValidation=Strict`, text);
  assert.equal(code, 400);
  assert.match(json.message, /duplicate field "data\.a"/);
});

test("bodies that are no object of the kind are 400s", async () => {
  for (const body of ["{", "[]", '"text"', "{}x"])
    assert.equal((await client.post(pods, body)).code, 400, body);
  const other = await client.post(pods, demoConfigMap("other"));
  assert.match(other.json.message, /ConfigMap in version "v1" cannot be handled as a Pod/);
  const version = await client.post(pods, { ...demoPod("v"), apiVersion: "v2" });
  assert.match(version.json.message, /does not match the expected API version/);
  const namespace = await client.post(pods, demoPod("n", { namespace: "kube-system" }));
  assert.match(namespace.json.message, /namespace of the provided object does not match/);
});

test("dry run answers as if, and writes nothing", async () => {
  const made = await client.post(`${pods}?dryRun=All`, demoPod("dry"));
  assert.equal(made.code, 201);
  assert.ok(made.json.metadata.uid);
  assert.equal((await client.get(`${pods}/dry`)).code, 404);
  assert.equal((await client.post(`${pods}?dryRun=Some`, demoPod("dry"))).code, 422);
});

test("an update at an old resourceVersion is a conflict; without one it takes the newest", async () => {
  const { json } = await client.post(configMaps, demoConfigMap("cas"));
  const next = await client.put(`${configMaps}/cas`, { ...json, data: { a: "2" } });
  assert.equal(next.code, 200);
  const stale = await client.put(`${configMaps}/cas`, { ...json, data: { a: "3" } });
  assert.equal(stale.code, 409);
  assert.match(
    stale.json.message,
    /the object has been modified; please apply your changes to the latest version and try again/,
  );
  assert.equal((await client.put(`${configMaps}/cas`, demoConfigMap("cas", { a: "4" }))).json.data.a, "4");
});

test("an update that changes nothing is no write", async () => {
  const { json } = await client.post(configMaps, demoConfigMap("same"));
  const again = await client.put(`${configMaps}/same`, json);
  assert.equal(again.json.metadata.resourceVersion, json.metadata.resourceVersion);
  const patched = await client.patch(`${configMaps}/same`, "merge", { data: { a: "1" } });
  assert.equal(patched.json.metadata.resourceVersion, json.metadata.resourceVersion);
});

test("an update under another name or uid is refused", async () => {
  await client.post(configMaps, demoConfigMap("self"));
  assert.equal((await client.put(`${configMaps}/self`, demoConfigMap("other"))).code, 400);
  const { code, json } = await client.put(`${configMaps}/self`, {
    ...demoConfigMap("self"),
    metadata: { name: "self", uid: "none" },
  });
  assert.equal(code, 409);
  assert.match(json.message, /UID in precondition: none/);
  assert.equal((await client.put(`${configMaps}/missing`, demoConfigMap("missing"))).code, 404);
});

test("a PUT of a Lease that is not there makes it", async () => {
  const leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  const body = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "l" },
    spec: { holderIdentity: "me" },
  };
  assert.equal((await client.put(`${leases}/l`, body)).code, 201);
});

test("generation grows with the spec, and status is written apart", async () => {
  const deployments = "/apis/apps/v1/namespaces/default/deployments";
  const spec = {
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
  };
  await client.post(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec,
  });
  const labelled = await client.patch(`${deployments}/web`, "merge", {
    metadata: { labels: { a: "b" } },
    status: { replicas: 9 },
  });
  assert.equal(labelled.json.metadata.generation, 1);
  assert.equal(labelled.json.status.replicas, undefined);
  const scaled = await client.patch(`${deployments}/web`, "merge", { spec: { replicas: 3 } });
  assert.equal(scaled.json.metadata.generation, 2);
  const status = await client.patch(`${deployments}/web/status`, "merge", {
    spec: { replicas: 9 },
    status: { replicas: 3 },
  });
  assert.equal(status.json.spec.replicas, 3);
  assert.equal(status.json.status.replicas, 3);
  assert.equal(status.json.metadata.generation, 2);
  const scale = await client.get(`${deployments}/web/scale`);
  assert.deepEqual(
    [scale.json.kind, scale.json.spec.replicas, scale.json.status.selector],
    ["Scale", 3, "app=web"],
  );
  const rescaled = await client.put(`${deployments}/web/scale`, { ...scale.json, spec: { replicas: 5 } });
  assert.equal(rescaled.json.spec.replicas, 5);
  assert.equal(
    (await client.put(`${deployments}/web/scale`, { ...scale.json, spec: { replicas: -1 } })).code,
    422,
  );
});

test("patches of all kinds, and what is wrong with them", async () => {
  await client.post(pods, demoPod("patched"));
  const path = `${pods}/patched`;
  const json = await client.patch(path, "json", [{ op: "add", path: "/metadata/labels", value: { a: "1" } }]);
  assert.equal(json.json.metadata.labels.a, "1");
  const merged = await client.patch(path, "merge", { metadata: { labels: { a: null, b: "2" } } });
  assert.deepEqual(merged.json.metadata.labels, { b: "2" });
  const strategic = await client.patch(path, "strategic", {
    spec: { containers: [{ name: "app", image: "busybox:2" }] },
  });
  assert.equal(strategic.json.spec.containers[0].image, "busybox:2");
  assert.equal(
    (await client.patch(path, "json", [{ op: "test", path: "/spec/restartPolicy", value: "Never" }])).code,
    422,
  );
  assert.equal((await client.patch(path, "json", { op: "add" })).code, 400);
  assert.equal((await client.patch(path, "merge", { metadata: { resourceVersion: "1" } })).code, 409);
  assert.equal((await client.patch(path, "merge", { spec: { nodeName: "x" } })).code, 422);
  const type = await client.send("PATCH", path, {
    body: {},
    headers: { "content-type": "application/json" },
  });
  assert.equal(type.code, 415);
  assert.equal((await client.patch(`${pods}/nobody`, "merge", {})).code, 404);
});

test("concurrent patches of one object all arrive", async () => {
  await client.post(configMaps, demoConfigMap("busy", {}));
  await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      client.patch(`${configMaps}/busy`, "merge", { data: { [`k${i}`]: "v" } }),
    ),
  );
  assert.equal(Object.keys((await client.get(`${configMaps}/busy`)).json.data).length, 40);
});

test("an apply makes the object, owns its fields, and conflicts with other owners", async () => {
  const path = `${configMaps}/applied`;
  const made = await client.patch(`${path}?fieldManager=one`, "apply", demoConfigMap("applied"));
  assert.equal(made.code, 201);
  assert.equal(made.json.metadata.managedFields[0].operation, "Apply");
  const conflict = await client.patch(
    `${path}?fieldManager=two`,
    "apply",
    demoConfigMap("applied", { a: "2" }),
  );
  assert.equal(conflict.code, 409);
  assert.equal(conflict.json.details.causes[0].field, ".data.a");
  const forced = await client.patch(
    `${path}?fieldManager=two&force=true`,
    "apply",
    demoConfigMap("applied", { a: "2" }),
  );
  assert.equal(forced.json.data.a, "2");
  assert.equal((await client.patch(path, "apply", demoConfigMap("applied"))).code, 422);
});

test("names that would leave their place in the store are refused", async () => {
  assert.equal((await client.get(`${pods}/..%2Fx`)).code, 400);
  assert.equal((await client.get(`${pods}/a%2Fb`)).code, 400);
});

test("an owner named twice is kept once, also among thousands", async () => {
  const owner = (i: number) => ({ apiVersion: "v1", kind: "Pod", name: `owner-${i}`, uid: `uid-${i}` });
  const ownerReferences = [...Array.from({ length: 5_000 }, (_, i) => owner(i)), owner(0)];
  const startMs = performance.now();
  const { code, json } = await client.post(configMaps, {
    ...demoConfigMap("owned"),
    metadata: { name: "owned", ownerReferences },
  });
  assert.equal(code, 201);
  assert.equal(json.metadata.ownerReferences.length, 5_000);
  assert.ok(performance.now() - startMs < 2_000, "linear, not quadratic");
});
