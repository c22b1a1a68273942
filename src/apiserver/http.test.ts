import assert from "node:assert/strict";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { demoConfigMap, TestClient } from "./testing/client.ts";
import { startTestCluster, type TestCluster } from "./testing/cluster.ts";

const maps = "/api/v1/namespaces/default/configmaps";
let cluster: TestCluster;
let client: TestClient;
let isSick = false;
before(async () => {
  cluster = await startTestCluster();
  client = new TestClient(cluster);
  cluster.server.addHealthCheck("readyz", {
    name: "node",
    check: () => {
      if (isSick) throw new Error("the node is not ready");
    },
  });
});
after(() => cluster.close());

test("health says what is well, as a whole and by part", async () => {
  for (const path of ["/healthz", "/livez", "/readyz"]) assert.equal((await client.get(path)).text, "ok");
  assert.match(
    (await client.get("/readyz?verbose")).text,
    /^\[\+\]ping ok\n\[\+\]node ok\nreadyz check passed\n$/,
  );
  isSick = true;
  const { code, text } = await client.get("/readyz");
  isSick = false;
  assert.equal(code, 500);
  assert.match(text, /\[-\]node failed: reason withheld/);
  assert.equal((await client.get("/readyz/node")).text, "ok");
  assert.equal((await client.get("/livez/nothing")).code, 404);
});

test("nobody may see health, version and discovery, and nothing else", async () => {
  const anonymous = (path: string) => client.send("GET", path, { as: "anonymous" });
  for (const path of ["/healthz", "/version", "/readyz"])
    assert.equal((await anonymous(path)).code, 200, path);
  const { code, json } = await anonymous(maps);
  assert.equal(code, 403);
  assert.equal(
    json.message,
    'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
  );
  const page = await anonymous("/metrics");
  assert.match(page.json.message, /forbidden: User "system:anonymous" cannot get path "\/metrics"/);
  const token = await client.send("GET", maps, {
    as: "anonymous",
    headers: { authorization: "Bearer nonsense" },
  });
  assert.equal(token.code, 401);
});

test("discovery in both forms names the same resources", async () => {
  const legacy = await client.get("/api/v1");
  const names = legacy.json.resources.map((resource: any) => resource.name);
  for (const name of [
    "pods",
    "pods/status",
    "pods/exec",
    "pods/log",
    "pods/binding",
    "namespaces/finalize",
    "serviceaccounts/token",
  ]) {
    assert.ok(names.includes(name), name);
  }
  const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
  const aggregated = await client.get("/api", { accept });
  assert.equal(aggregated.json.apiVersion, "apidiscovery.k8s.io/v2");
  const pods = aggregated.json.items[0].versions[0].resources.find(
    (resource: any) => resource.resource === "pods",
  );
  assert.deepEqual(pods.shortNames, ["po"]);
  assert.ok(pods.subresources.some((subresource: any) => subresource.subresource === "exec"));
  assert.equal(
    (await client.get("/api", { accept, "if-none-match": String(aggregated.headers["etag"]) })).code,
    304,
  );
  assert.deepEqual((await client.get("/api")).json.versions, ["v1"]);
  assert.ok((await client.get("/apis")).json.groups.some((group: any) => group.name === "apps"));
  assert.equal((await client.get("/apis/apps")).json.preferredVersion.groupVersion, "apps/v1");
  assert.equal((await client.get("/apis/nothing.example")).code, 404);
  assert.equal((await client.get("/apis/apps/v9")).code, 404);
});

test("version, OpenAPI, metrics and the keys of tokens are there", async () => {
  assert.equal((await client.get("/version")).json.gitVersion, "v1.36.0+peapod");
  assert.equal((await client.get("/openapi/v2")).json.swagger, "2.0");
  assert.ok((await client.get("/openapi/v3")).json.paths["api/v1"].serverRelativeURL);
  assert.equal((await client.get("/openapi/v3/apis/apps/v1")).json.openapi, "3.0.0");
  assert.match((await client.get("/metrics")).text, /apiserver_request_total\{verb="get"/);
  assert.ok((await client.get("/openid/v1/jwks")).json.keys.length > 0);
  assert.ok((await client.get("/.well-known/openid-configuration")).json.jwks_uri);
  assert.ok((await client.get("/")).json.paths.includes("/apis/apps/v1"));
});

test("what there is not is a 404, and what cannot be done a 405, each as a Status", async () => {
  for (const path of [
    "/api/v1/nothings",
    "/nothing",
    "/apis/apps/v1/namespaces/default/pods",
    "/api/v1/pods/x",
    `${maps}/x/nothing`,
  ]) {
    const { code, json } = await client.get(path);
    assert.equal(code, 404, path);
    assert.equal(json.kind, "Status");
  }
  assert.equal((await client.send("PUT", maps, { body: {} })).code, 405);
  assert.equal((await client.send("POST", `${maps}/x`, { body: {} })).code, 405);
  assert.equal((await client.send("OPTIONS", maps)).code, 405);
  assert.equal((await client.send("POST", "/version")).code, 405);
  assert.equal((await client.post("/api/v1/configmaps", demoConfigMap("nowhere"))).code, 405);
});

test("a body over the limit is a 413, of another type a 415, and the server goes on", async () => {
  const huge = await client.post(maps, Buffer.alloc(3 * 1024 * 1024 + 1, 32));
  assert.equal(huge.code, 413);
  assert.equal(huge.json.reason, "RequestEntityTooLarge");
  const stored = await client.post(maps, demoConfigMap("large", { big: "x".repeat(1_600_000) }));
  assert.ok(stored.code === 413 || stored.code === 422, `${stored.code}`);
  assert.equal((await client.post(maps, "x", { "content-type": "text/plain" })).code, 415);
  assert.equal((await client.get(`/${"x".repeat(40_000)}`)).code, 414);
  assert.equal((await client.get("/healthz")).code, 200);
});

test("JSON is indented for people, and the audit id is the client's own", async () => {
  await client.post(maps, demoConfigMap("pretty"));
  assert.match((await client.get(`${maps}/pretty`, { "user-agent": "curl/8" })).text, /^\{\n {2}"kind"/);
  assert.match((await client.get(`${maps}/pretty?pretty=true`)).text, /^\{\n/);
  assert.doesNotMatch((await client.get(`${maps}/pretty`)).text, /\n {2}/);
  assert.equal((await client.get(maps, { "audit-id": "my-own" })).headers["audit-id"], "my-own");
  assert.match(String((await client.get(maps)).headers["audit-id"]), /^[0-9a-f-]{36}$/);
});

test("HEAD is GET without the body", async () => {
  const { code, bytes, headers } = await client.send("HEAD", `${maps}/pretty`);
  assert.deepEqual([code, bytes.length], [200, 0]);
  assert.ok(Number(headers["content-length"]) > 0);
});

test("who may can act as another, with that one's rights", async () => {
  const headers = { "impersonate-user": "jane", "impersonate-group": "developers" };
  const { code, json } = await client.get(maps, headers);
  assert.equal(code, 403);
  assert.match(json.message, /User "jane" cannot list/);
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const who = await client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review);
  assert.equal(who.json.status.userInfo.username, "kubernetes-admin");
});

test("a review as a table is a 406, and as anything JSON an answer", async () => {
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  const codeFor = async (accept: string) => (await client.post(path, review, { accept })).code;
  assert.equal(await codeFor(table), 406);
  assert.equal(await codeFor(`${table},application/json`), 201);
  assert.equal(await codeFor("application/vnd.kubernetes.protobuf, */*"), 201);
});

test("one connection of HTTP/2 carries requests and watches side by side", async () => {
  const { pki } = cluster;
  const session = connect(cluster.url, {
    ca: pki.ca.certificate,
    cert: pki.admin.certificate,
    key: pki.admin.key,
  });
  try {
    const send = (headers: Record<string, string>, body?: string) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const stream = session.request(headers);
        let status = 0;
        let text = "";
        stream.on("response", (answer) => {
          status = answer[":status"]!;
        });
        stream.on("data", (chunk) => {
          text += chunk;
        });
        stream.on("end", () => resolve({ status, text }));
        stream.on("error", reject);
        stream.end(body);
      });
    const from = JSON.parse((await send({ ":path": maps })).text).metadata.resourceVersion;
    const watch = session.request({ ":path": `${maps}?watch=1&resourceVersion=${from}` });
    const seen = new Promise<string>((resolve) => watch.once("data", (chunk) => resolve(String(chunk))));
    const made = await send(
      { ":method": "POST", ":path": maps, "content-type": "application/json" },
      JSON.stringify(demoConfigMap("second")),
    );
    assert.equal(made.status, 201);
    assert.equal(JSON.parse(await seen).object.metadata.name, "second");
    assert.equal((await send({ ":path": `${maps}/nobody` })).status, 404);
  } finally {
    session.destroy();
  }
});

test("pipelined requests are answered in order", async () => {
  const { pki, port } = cluster;
  const tls = { ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key };
  const socket = connectTls({ port, host: "127.0.0.1", ...tls, ALPNProtocols: ["http/1.1"] });
  const lines = [`GET ${maps}/pretty`, `GET ${maps}?limit=1`, "GET /version"].map(
    (line) => `${line} HTTP/1.1\r\nhost: x\r\n\r\n`,
  );
  socket.write(lines.join(""));
  let text = "";
  for await (const chunk of socket) {
    text += chunk;
    if (text.includes("gitVersion")) break;
  }
  socket.destroy();
  const order = ['"kind":"ConfigMap"', "ConfigMapList", "gitVersion"].map((mark) => text.indexOf(mark));
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  assert.ok(order.every((at) => at >= 0));
});
