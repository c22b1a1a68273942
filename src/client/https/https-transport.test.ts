import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { keyPem, newKey, signCertificate } from "../../auth/certificate.ts";
import { SteppedClock } from "../../base/index.ts";
import { isStatus, type KubeObject, notFound, StatusError } from "../../machinery/index.ts";
import { createClient } from "../client.ts";
import { deployments, nodes, pods } from "../resources.ts";
import type { Transport, WatchEvent } from "../transport.ts";
import { createHttpsTransport } from "./https-transport.ts";

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;
const json = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(value));
  };
};
const pod = (name: string, resourceVersion = "1") => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", resourceVersion },
});

/** A CA and a server's certificate that it signed, PEM. */
function certificates() {
  const [caKeys, serverKeys] = [newKey(), newKey()];
  const issuer = { subject: { commonName: "test-ca" }, key: caKeys.privateKey };
  const sign = (commonName: string, publicKey: typeof caKeys.publicKey, use: "ca" | "server") =>
    signCertificate({
      subject: { commonName },
      publicKey,
      use,
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 3_600_000,
      sans: ["localhost"],
      issuer,
    });
  return {
    ca: sign("test-ca", caKeys.publicKey, "ca"),
    cert: sign("server", serverKeys.publicKey, "server"),
    key: keyPem(serverKeys.privateKey),
  };
}

describe("the HTTPS transport", () => {
  let ca: string;
  let server: Server;
  let transport: Transport & { close(): void };
  let clock: SteppedClock;
  let answers: Answer[];
  let seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[];
  const sockets = new Set<{ destroy(): void }>();
  let connections = 0;

  before(async () => {
    const made = certificates();
    ca = made.ca;
    const { cert, key } = made;
    server = createServer({ cert, key }, async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      answers.shift()!(request, response, body);
    });
    server.on("secureConnection", (socket) => {
      connections++;
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  beforeEach(() => {
    answers = [];
    seen = [];
    connections = 0;
    clock = new SteppedClock();
    transport = createHttpsTransport({ server: url(), ca, token: async () => "secret", clock });
  });
  afterEach(() => transport.close());
  const url = () => `https://localhost:${(server.address() as AddressInfo).port}`;

  test("sends each verb as Kubernetes' clients do", async () => {
    const client = createClient(transport).resource(pods);
    const object = pod("a");
    answers = Array.from({ length: 9 }, () => json(200, object));
    await client.get("default", "a", { resourceVersion: "0" });
    await client.list({ labelSelector: "app=x,tier!=y", limit: 500 });
    await client.create(object, { fieldManager: "me", fieldValidation: "Strict" });
    await client.update(object);
    await client.updateStatus(object, { dryRun: ["All"] });
    await client.patch("default", "a", "strategic", { metadata: { labels: { x: "y" } } });
    await client.patch("default", "a", "apply", object, { fieldManager: "me", force: true });
    await client.delete("default", "a", { gracePeriodSeconds: 0, preconditions: { uid: "u" } });
    await client.deleteCollection("default", { labelSelector: "a=b", propagationPolicy: "Background" });
    assert.deepEqual(
      seen.map(({ method, url }) => `${method} ${url}`),
      [
        "GET /api/v1/namespaces/default/pods/a?resourceVersion=0",
        "GET /api/v1/pods?labelSelector=app%3Dx%2Ctier%21%3Dy&limit=500",
        "POST /api/v1/namespaces/default/pods?fieldManager=me&fieldValidation=Strict",
        "PUT /api/v1/namespaces/default/pods/a",
        "PUT /api/v1/namespaces/default/pods/a/status?dryRun=All",
        "PATCH /api/v1/namespaces/default/pods/a",
        "PATCH /api/v1/namespaces/default/pods/a?fieldManager=me&force=true",
        "DELETE /api/v1/namespaces/default/pods/a",
        "DELETE /api/v1/namespaces/default/pods?labelSelector=a%3Db",
      ],
    );
    assert.equal(seen[5]!.headers["content-type"], "application/strategic-merge-patch+json");
    assert.deepEqual(JSON.parse(seen[7]!.body), {
      apiVersion: "v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      preconditions: { uid: "u" },
    });
    assert.equal(seen[0]!.headers.authorization, "Bearer secret");
    assert.equal(connections, 1, "the connection is kept");
  });

  test("finds groups and cluster-scoped resources", async () => {
    answers = [json(200, {}), json(200, {})];
    await transport.request({ verb: "get", resource: deployments, namespace: "ns", name: "d" });
    await transport.request({ verb: "get", resource: nodes, name: "n" });
    assert.deepEqual(
      seen.map(({ url }) => url),
      ["/apis/apps/v1/namespaces/ns/deployments/d", "/api/v1/nodes/n"],
    );
  });

  test("turns a Status into the error it stands for", async () => {
    answers = [
      json(404, notFound(pods, "a").status),
      (_, response) => response.writeHead(502).end("bad gateway"),
    ];
    const get = () => transport.request({ verb: "get", resource: pods, namespace: "default", name: "a" });
    await assert.rejects(
      get(),
      (error) => isStatus(error, "NotFound") && /"a" not found/.test(error.message),
    );
    await assert.rejects(get(), (error) => error instanceof StatusError && error.code === 502);
  });

  test("freezes what it returns", async () => {
    answers = [json(200, pod("a"))];
    const { object } = await transport.request({ verb: "get", resource: pods, name: "a" });
    assert.throws(() => {
      object.metadata.name = "b";
    }, TypeError);
  });

  test("waits as long as the server asks for, and repeats", async () => {
    answers = [json(429, {}, { "retry-after": "2" }), json(200, pod("a"))];
    const result = transport.request({ verb: "get", resource: pods, namespace: "default", name: "a" });
    while (clock.pending === 0) await new Promise(setImmediate);
    await clock.step(2_000);
    assert.equal((await result).object.metadata.name, "a");
  });

  test("says that a server cannot be reached", async () => {
    const nowhere = createHttpsTransport({ server: "https://127.0.0.1:1", ca, clock });
    await assert.rejects(nowhere.request({ verb: "list", resource: pods }), (error) =>
      isStatus(error, "ServiceUnavailable"),
    );
    const stranger = createHttpsTransport({ server: url(), ca: certificates().ca, clock });
    await assert.rejects(stranger.request({ verb: "list", resource: pods }), (error) =>
      isStatus(error, "ServiceUnavailable"),
    );
  });

  test("is let go by its signal", async () => {
    const stop = new AbortController();
    answers = [() => stop.abort(new Error("enough"))];
    await assert.rejects(transport.request({ verb: "list", resource: pods, signal: stop.signal }), /enough/);
  });

  function watch(options: { resourceVersion?: string; name?: string } = {}) {
    const events: WatchEvent<KubeObject>[] = [];
    const closed = new Promise<Error | undefined>((resolve) => {
      watching = transport.watch(
        { resource: pods, namespace: "default", allowWatchBookmarks: true, ...options },
        { onEvents: (batch) => events.push(...batch), onClose: resolve },
      );
    });
    return { events, closed, close: () => watching.close() };
  }
  let watching: { close(): void };

  test("watches line by line, however the lines are cut", async () => {
    const lines = ["a", "ü\u{1f600}", "c"]
      .map((name, i) => `${JSON.stringify({ type: "ADDED", object: pod(name, String(i + 1)) })}\n`)
      .join("");
    const bytes = Buffer.from(lines);
    answers = [
      async (_, response) => {
        for (let at = 0; at < bytes.length; at += 7) {
          response.write(bytes.subarray(at, at + 7));
          await new Promise(setImmediate);
        }
        response.end();
      },
    ];
    const { events, closed } = watch({ resourceVersion: "5", name: "a" });
    assert.equal(await closed, undefined);
    assert.deepEqual(
      events.map((event) => event.object.metadata.name),
      ["a", "ü\u{1f600}", "c"],
    );
    assert.equal(
      seen[0]!.url,
      "/api/v1/namespaces/default/pods?watch=true&fieldSelector=metadata.name%3Da&resourceVersion=5&allowWatchBookmarks=true",
    );
  });

  test("reports why a watch could not start, or why it ended", async () => {
    const expired = new StatusError(410, "Expired", "too old resource version: 5 (9)");
    answers = [
      json(403, new StatusError(403, "Forbidden", "no").status),
      (_, response) => {
        response.write(`${JSON.stringify({ type: "ADDED", object: pod("a") })}\n`);
        response.end(`${JSON.stringify({ type: "ERROR", object: expired.status })}\n`);
      },
      (_, response) => {
        response.write(`${JSON.stringify({ type: "ADDED", object: pod("a") })}\n`);
        setImmediate(() => response.destroy());
      },
    ];
    assert.ok(isStatus(await watch().closed, "Forbidden"));
    const second = watch();
    assert.ok(isStatus(await second.closed, "Expired"));
    assert.equal(second.events.length, 1);
    assert.ok(isStatus(await watch().closed, "ServiceUnavailable"));
  });

  test("a closed watch says nothing more and gives its connection back", async () => {
    let gone!: () => void;
    const ended = new Promise<void>((resolve) => (gone = resolve));
    let started!: () => void;
    const flowing = new Promise<void>((resolve) => (started = resolve));
    answers = [
      (request, response) => {
        request.socket.on("close", gone);
        response.flushHeaders();
        started();
      },
    ];
    const { closed, close } = watch();
    void closed.then(() => assert.fail("closed by us, not by the server"));
    await flowing;
    close();
    await ended;
  });
});
