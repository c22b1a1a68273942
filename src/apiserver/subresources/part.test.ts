import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { demoPod, TestClient } from "../testing/client.ts";
import { startTestCluster, type TestCluster } from "../testing/cluster.ts";

const pods = "/api/v1/namespaces/default/pods";
let cluster: TestCluster;
let client: TestClient;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
});
after(() => cluster.close());

const debugger1 = { name: "debugger", image: "busybox", stdin: true, tty: true };

async function podWithDebugger(name: string): Promise<string> {
  await client.post(pods, demoPod(name));
  const path = `${pods}/${name}/ephemeralcontainers`;
  const { code } = await client.patch(path, "strategic", { spec: { ephemeralContainers: [debugger1] } });
  assert.equal(code, 200);
  return path;
}

test("a strategic patch adds an ephemeral container, with its defaults, and the pod has a new generation", async () => {
  const path = await podWithDebugger("debugged");
  const { json } = await client.get(`${pods}/debugged`);
  assert.equal(json.metadata.generation, 2);
  assert.deepEqual(json.spec.ephemeralContainers, [
    {
      ...debugger1,
      imagePullPolicy: "Always",
      resources: {},
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
    },
  ]);
  assert.deepEqual((await client.get(path)).json, json);
  const more = await client.patch(path, "strategic", {
    spec: { ephemeralContainers: [{ name: "second", image: "i", targetContainerName: "app" }] },
  });
  assert.deepEqual(more.json.spec.ephemeralContainers.map(({ name }: any) => name).sort(), [
    "debugger",
    "second",
  ]);
  assert.equal(more.json.metadata.generation, 3);
});

test("a write of the whole pod to /ephemeralcontainers changes nothing else of it, and owns nothing else", async () => {
  const path = await podWithDebugger("whole");
  const { json: pod } = await client.get(path);
  pod.metadata.labels = { a: "b" };
  pod.spec.activeDeadlineSeconds = 5;
  pod.status.phase = "Failed";
  pod.spec.ephemeralContainers.push({ name: "two", image: "i" });
  const { code, json } = await client.put(`${path}?fieldManager=tester`, pod);
  assert.equal(code, 200);
  assert.equal(json.spec.ephemeralContainers.length, 2);
  assert.equal(json.spec.activeDeadlineSeconds, undefined);
  assert.equal(json.metadata.labels?.a, undefined);
  assert.equal(json.status.phase, "Pending");
  const entry = json.metadata.managedFields.find(({ manager }: any) => manager === "tester");
  assert.equal(entry.subresource, "ephemeralcontainers");
  assert.deepEqual(Object.keys(entry.fieldsV1["f:spec"]), ["f:ephemeralContainers"]);
});

const refused: [what: string, containers: object[], message: RegExp][] = [
  ["one without a name", [{ image: "i" }], /spec\.ephemeralContainers\[\d\]\.name: Required value/],
  ["the name of another container", [{ name: "app", image: "i" }], /name: Duplicate value: "app"/],
  [
    "a target that does not exist",
    [{ name: "d", image: "i", targetContainerName: "gone" }],
    /targetContainerName: Not found: "gone"/,
  ],
  [
    "ports",
    [{ name: "d", image: "i", ports: [{ containerPort: 1 }] }],
    /ports: Forbidden: cannot be set for an Ephemeral Container/,
  ],
  [
    "a probe",
    [{ name: "d", image: "i", livenessProbe: { exec: { command: ["x"] } } }],
    /livenessProbe: Forbidden: cannot be set for an Ephemeral Container/,
  ],
  [
    "a change of an existing one",
    [{ ...debugger1, image: "other" }],
    /existing ephemeral containers "debugger" may not be changed/,
  ],
  ["its removal", [], /existing ephemeral containers "debugger" may not be removed/],
];

test("ephemeral containers are only added, and only as such", async () => {
  const path = await podWithDebugger("strict");
  for (const [what, containers, message] of refused) {
    const isAddition = containers.some((each: any) => each.name !== "debugger");
    const list = isAddition ? [debugger1, ...containers] : containers;
    const { code, json } = await client.patch(path, "merge", { spec: { ephemeralContainers: list } });
    assert.equal(code, 422, what);
    assert.match(json.message, message, what);
  }
  const main = await client.patch(`${pods}/strict`, "strategic", {
    spec: { ephemeralContainers: [{ name: "more", image: "i" }] },
  });
  assert.match(main.json.message, /pod updates may not change fields other than/);
});

test("a mirror pod takes no ephemeral containers, an absent pod is a 404 that names it", async () => {
  await client.post(pods, {
    ...demoPod("mirror", { annotations: { "kubernetes.io/config.mirror": "x" } }),
    spec: { ...demoPod("mirror").spec, nodeName: "n1" },
  });
  const patch = { spec: { ephemeralContainers: [debugger1] } };
  const mirror = await client.patch(`${pods}/mirror/ephemeralcontainers`, "strategic", patch);
  assert.equal(mirror.code, 422);
  assert.match(mirror.json.message, /static pods do not support ephemeral containers/);
  const gone = await client.patch(`${pods}/gone/ephemeralcontainers`, "strategic", patch);
  assert.equal(gone.code, 404);
  // By the name kubectl tells an absent pod from a server without the subresource.
  assert.equal(gone.json.details.name, "gone");
});

test("discovery has pods/ephemeralcontainers as a Pod that is got, patched and updated", async () => {
  const { json } = await client.get("/api/v1");
  const found = json.resources.find(({ name }: any) => name === "pods/ephemeralcontainers");
  assert.equal(found.kind, "Pod");
  assert.deepEqual([...found.verbs].sort(), ["get", "patch", "update"]);
});
