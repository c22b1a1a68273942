import assert from "node:assert/strict";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { AdmissionPlugin } from "../admission/index.ts";
import { watchBacklogBytesMax, writesInFlightMax } from "./limits.ts";
import { demoConfigMap, TestClient } from "./testing/client.ts";
import { startTestCluster } from "./testing/cluster.ts";

const maps = "/api/v1/namespaces/default/configmaps";

test("past the writes in flight a client is told to come back, and reads go on", async (t) => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held = 0;
  const gate: AdmissionPlugin = {
    name: "gate",
    wants: ({ resource }) => resource.resource === "configmaps",
    mutate: () => {
      held++;
      return released;
    },
  };
  const cluster = await startTestCluster({ admission: [gate] });
  t.after(() => cluster.close());
  const client = new TestClient(cluster);
  const answers = Array.from({ length: writesInFlightMax + 1 }, (_, i) =>
    client.post(maps, demoConfigMap(`m-${i}`)),
  );
  const refused = await Promise.race(answers);
  assert.equal(refused.code, 429);
  assert.equal(refused.headers["retry-after"], "1");
  assert.equal(refused.json.reason, "TooManyRequests");
  assert.equal((await client.get(maps)).code, 200);
  assert.ok(held <= writesInFlightMax);
  release();
  const codes = (await Promise.all(answers)).map((answer) => answer.code);
  assert.equal(codes.filter((code) => code === 201).length, writesInFlightMax);
});

test("clients that are slow to send their bodies do not keep others from writing", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const { pki, port } = cluster;
  const tls = { ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key };
  const slow = Array.from({ length: writesInFlightMax + 20 }, () => {
    const socket = connectTls({ port, host: "127.0.0.1", ...tls, ALPNProtocols: ["http/1.1"] });
    socket.on("error", () => {});
    socket.write(
      `POST ${maps} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n{`,
    );
    return socket;
  });
  t.after(() => {
    for (const socket of slow) socket.destroy();
  });
  // The server has begun to take each body: it says so.
  await Promise.all(slow.map((socket) => new Promise((resolve) => socket.once("data", resolve))));
  const client = new TestClient(cluster);
  assert.equal((await client.post(maps, demoConfigMap("quick"))).code, 201);
});

test("a watcher that takes nothing is cut, and the others go on", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const client = new TestClient(cluster);
  const { pki, port } = cluster;
  const tls = { ca: pki.ca.certificate, cert: pki.admin.certificate, key: pki.admin.key };
  const lazy = connectTls({ port, host: "127.0.0.1", ...tls, ALPNProtocols: ["http/1.1"] });
  lazy.on("error", () => {});
  lazy.pause();
  const cut = new Promise<void>((resolve) => lazy.once("close", () => resolve()));
  lazy.write(`GET ${maps}?watch=1&resourceVersion=2 HTTP/1.1\r\nhost: x\r\n\r\n`);
  const keen = client.watch(`${maps}?watch=1&resourceVersion=2`);
  const chunk = "x".repeat(1_000_000);
  await client.post(maps, demoConfigMap("big", { chunk }));
  const writes = Math.ceil(watchBacklogBytesMax / chunk.length) + 20;
  for (let i = 0; i < writes; i++) {
    assert.equal((await client.patch(`${maps}/big`, "merge", { data: { i: String(i) } })).code, 200);
  }
  while ((await keen.next()).object.data.i !== String(writes - 1));
  keen.close();
  lazy.resume();
  await cut;
});

test("nobody's body is read before it is known who may send it", async (t) => {
  const cluster = await startTestCluster();
  t.after(() => cluster.close());
  const client = new TestClient(cluster);
  const { code } = await client.send("POST", maps, { as: "anonymous", body: "this is no JSON" });
  assert.equal(code, 403);
});
