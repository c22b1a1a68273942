import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { gzipSync } from "node:zlib";
import type { NodeApi } from "../../client/index.ts";
import { serviceUnavailable } from "../../machinery/index.ts";
import { TestClient } from "../testing/client.ts";
import { startTestCluster, type TestCluster } from "../testing/cluster.ts";

let cluster: TestCluster;
let client: TestClient;
let http: ReturnType<typeof createServer>;
let https: ReturnType<typeof createHttpsServer>;
/** The port that was dialled last, by the pod's numbering. */
const dialled: number[] = [];

/** A pod's server: tells what it was asked. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url!, "http://pod").pathname;
  switch (path) {
    case "/moved":
      response.writeHead(302, { location: "/there?x=1" }).end();
      return;
    case "/page":
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-encoding": "gzip" });
      response.end(gzipSync(`<a href="/next">next</a>`));
      return;
    case "/large":
      response.writeHead(200, { "content-type": "application/octet-stream" });
      for (let i = 0; i < 64; i++) response.write(Buffer.alloc(64 * 1024, i));
      response.end();
      return;
    case "/broken":
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setImmediate(() => response.destroy());
      return;
    default: {
      const { method, url, headers } = request;
      const body = await text(request);
      response.writeHead(200, { "content-type": "application/json", "access-control-allow-origin": "*" });
      response.end(JSON.stringify({ method, url, headers, body }));
    }
  }
}

const node: NodeApi = {
  containerLogs: () => Promise.reject(new Error("not asked for")),
  exec: () => Promise.reject(new Error("not asked for")),
  attach: () => Promise.reject(new Error("not asked for")),
  portForward: () => Promise.reject(new Error("not asked for")),
  dialPod: async (_target, port) => {
    dialled.push(port);
    if (port === 81) throw serviceUnavailable("error trying to reach service: dial tcp: connection refused");
    const server = port === 443 ? https : http;
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  },
  page: async ({ path, query }) => ({
    code: 200,
    mediaType: "text/plain",
    body: Buffer.from(`${path} ${JSON.stringify(query)}`),
  }),
};

const base = "/api/v1/namespaces/default/pods";

before(async () => {
  cluster = await startTestCluster({ nodes: { connect: async () => node } });
  client = new TestClient(cluster);
  http = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  http.on("upgrade", (request, socket, head) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
    );
    socket.write(`${request.url} ${request.headers.authorization ?? "nobody"} ${head}`);
    socket.pipe(socket);
  });
  const { certificate: cert, key } = cluster.pki.apiserver;
  https = createHttpsServer({ cert, key }, (request, response) => void answer(request, response));
  https.listen(0, "127.0.0.1");
  await Promise.all([once(http, "listening"), once(https, "listening")]);
  await cluster.admin.request({
    verb: "create",
    resource: { group: "", version: "v1", resource: "pods" },
    namespace: "default",
    body: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web" },
      spec: { nodeName: "n1", containers: [{ name: "c", image: "i", ports: [{ containerPort: 8080 }] }] },
    },
  });
  await cluster.admin.request({
    verb: "create",
    resource: { group: "", version: "v1", resource: "nodes" },
    body: { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } },
  });
  assert.match((await client.get(`${base}/web/proxy/`)).text, /address not allowed/);
  await client.patch(`${base}/web/status`, "merge", {
    status: { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }] },
  });
});
after(async () => {
  http?.close();
  https?.close();
  await cluster?.close();
});

for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
  test(`${method} goes to the pod, with its path, query, headers and body`, async () => {
    const { code, json, headers } = await client.send(method, `${base}/web/proxy/a%2Fb/?x=1&y=%20`, {
      body: method === "GET" || method === "OPTIONS" ? undefined : "hello",
      headers: { "x-mine": "yes", authorization: "Bearer secret" },
    });
    assert.equal(code, 200);
    assert.equal(json.method, method);
    assert.equal(json.url, "/a%2Fb/?x=1&y=%20");
    assert.equal(json.headers["x-mine"], "yes");
    assert.equal(json.headers.authorization, undefined);
    assert.equal(json.headers["x-forwarded-uri"], `${base}/web/proxy/a%2Fb/`);
    assert.equal(json.headers["x-forwarded-for"], "127.0.0.1");
    assert.equal(json.body, method === "GET" || method === "OPTIONS" ? "" : "hello");
    assert.equal(headers["access-control-allow-origin"], undefined);
    assert.ok(headers["audit-id"]);
  });
}

test("HEAD has the headers of the answer and no body", async () => {
  const { code, text: body, headers } = await client.send("HEAD", `${base}/web/proxy/`);
  assert.deepEqual([code, body, headers["content-type"]], [200, "", "application/json"]);
});

test("the port is the named one, else the first that the pod has; the scheme may say https", async () => {
  dialled.length = 0;
  await client.get(`${base}/web/proxy/`);
  await client.get(`${base}/web:80/proxy/`);
  await client.get(`${base}/http:web:80/proxy/`);
  assert.equal((await client.get(`${base}/https:web:443/proxy/secure`)).json.url, "/secure");
  assert.deepEqual(dialled, [8080, 80, 80, 443]);
});

test("a path without its slash is led to it, so that the page's own links hold", async () => {
  const { code, headers } = await client.get(`${base}/web/proxy?x=1`);
  assert.deepEqual([code, headers.location], [301, `${base}/web/proxy/?x=1`]);
});

test("redirects and the links of pages lead below the proxy's path", async () => {
  const moved = await client.get(`${base}/web/proxy/moved`);
  assert.deepEqual([moved.code, moved.headers.location], [302, `${base}/web/proxy/there?x=1`]);
  const page = await client.get(`${base}/web/proxy/page`);
  assert.equal(page.text, `<a href="${base}/web/proxy/next">next</a>`);
  assert.equal(page.headers["content-encoding"], undefined);
});

test("a long answer comes as a stream, and one that breaks off breaks off", async () => {
  assert.equal((await client.get(`${base}/web/proxy/large`)).bytes.length, 64 * 64 * 1024);
  await assert.rejects(client.get(`${base}/web/proxy/broken`));
});

const refusals: [what: string, path: string, code: number, message: RegExp][] = [
  ["a pod that is not there", `${base}/gone/proxy/`, 404, /pods "gone" not found/],
  ["a name that is none", `${base}/a:b:c:d/proxy/`, 400, /invalid pod request "a:b:c:d"/],
  ["a port that is none", `${base}/web:http/proxy/`, 503, /error trying to reach service: .*invalid port/],
  ["a pod that does not listen", `${base}/web:81/proxy/`, 503, /error trying to reach service: .*refused/],
  ["another port of a node", "/api/v1/nodes/n1:22/proxy/", 503, /connection refused/],
  ["a node that is not there", "/api/v1/nodes/n2/proxy/healthz", 404, /nodes "n2" not found/],
  ["a kind without a proxy", "/api/v1/namespaces/default/configmaps/c/proxy/", 404, /could not find/],
];
for (const [what, path, code, message] of refusals) {
  test(`${what} is a ${code}`, async () => {
    const got = await client.get(path);
    assert.equal(got.code, code);
    assert.match(got.json.message, message);
  });
}

test("who may not use the proxy is told so", async () => {
  const { code, json } = await client.send("GET", `${base}/web/proxy/`, { as: "anonymous" });
  assert.equal(code, 403);
  assert.match(json.message, /cannot get resource "pods\/proxy" in API group "" in the namespace "default"/);
});

test("an upgraded connection goes through, both ways", async () => {
  const { pki, port } = cluster;
  const socket = tlsConnect({
    ...{ port, host: "127.0.0.1", ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key },
    servername: "localhost",
    ALPNProtocols: ["http/1.1"],
  });
  await once(socket, "secureConnect");
  socket.write(
    `GET ${base}/web/proxy/socket?x=1 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\nAuthorization: Basic x\r\n\r\n`,
  );
  let seen = "";
  const until = async (wanted: RegExp) => {
    while (!wanted.test(seen)) seen += String((await once(socket, "data"))[0]);
  };
  await until(/101 Switching Protocols[\s\S]*\/socket\?x=1 nobody/);
  socket.write("ping");
  await until(/ping$/);
  socket.destroy();
});

test("a node's own pages are behind its proxy, with the agent's port or without", async () => {
  assert.equal(
    (await client.get("/api/v1/nodes/n1/proxy/stats/summary?a=b")).text,
    '/stats/summary {"a":"b"}',
  );
  assert.equal((await client.get("/api/v1/nodes/n1:10250/proxy/logs/")).text, "/logs/ {}");
  assert.equal((await client.post("/api/v1/nodes/n1/proxy/logs/", {})).code, 405);
});

test("discovery names the proxies", async () => {
  const { json } = await client.get("/api/v1");
  const found = json.resources.filter(({ name }: any) => name.endsWith("/proxy"));
  assert.deepEqual(
    found.map(({ name, kind, verbs }: any) => [name, kind, verbs.join()]),
    [
      ["nodes/proxy", "NodeProxyOptions", "create,delete,get,patch,update"],
      ["pods/proxy", "PodProxyOptions", "create,delete,get,patch,update"],
    ],
  );
});
