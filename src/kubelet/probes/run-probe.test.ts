import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SystemClock } from "../../base/index.ts";
import { type Dialer, openDialer, type Runtime } from "../../runtime/index.ts";
import { runProbe } from "./run-probe.ts";

const clock = new SystemClock();

async function withServer(
  handler: http.RequestListener,
  use: (
    run: (action: Partial<corev1.HTTPGetAction>, more?: Partial<corev1.Probe>) => Promise<any>,
  ) => Promise<void>,
): Promise<void> {
  const server = http.createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const dialer: Dialer = await openDialer(clock);
  const { port } = server.address() as AddressInfo;
  const target = { container: { name: "c", image: "i" }, containerId: "c", podIp: "127.0.0.1" };
  const run = (action: Partial<corev1.HTTPGetAction>, more: Partial<corev1.Probe> = {}) =>
    runProbe({ timeoutSeconds: 30, httpGet: { port, ...action }, ...more }, target, {
      ...{ clock, dialer, runtime: {} as Runtime },
    });
  try {
    await use(run);
  } finally {
    dialer.close();
    server.closeAllConnections();
    server.close();
  }
}

test("a redirect on the same host is followed, also to where it fails", async () => {
  await withServer(
    ({ url }, response) => {
      if (url === "/redirect") response.writeHead(302, { location: "/healthz" }).end();
      else response.writeHead(url === "/healthz" ? 500 : 200).end();
    },
    async (run) => {
      assert.deepEqual(await run({ path: "/redirect" }), {
        outcome: "failure",
        output: "HTTP probe failed with statuscode: 500",
      });
      assert.equal((await run({ path: "/fine" })).outcome, "success");
    },
  );
});

test("a redirect to another host is not followed: a success, with a warning of what was said", async () => {
  await withServer(
    (_, response) =>
      response.writeHead(302, { location: "http://0.0.0.0/" }).end('<a href="http://0.0.0.0/">Found</a>.'),
    async (run) => {
      assert.deepEqual(await run({ path: "/redirect" }), {
        outcome: "warning",
        output: 'Probe terminated redirects, Response body: <a href="http://0.0.0.0/">Found</a>.',
      });
    },
  );
});

test("a request has the headers it is given, a Host of its own where it is given one, and keeps no connection", async () => {
  const seen: http.IncomingMessage[] = [];
  await withServer(
    (request, response) => {
      seen.push(request);
      response.end();
    },
    async (run) => {
      const httpHeaders = [
        { name: "Host", value: "app.example.com" },
        { name: "X-Twice", value: "one" },
        { name: "X-Twice", value: "two" },
        { name: "User-Agent", value: "mine" },
        { name: "Accept", value: "" },
      ];
      await run({ path: "/a b?c=d", httpHeaders });
      await run({});
      const [first, second] = seen as [http.IncomingMessage, http.IncomingMessage];
      assert.equal(first.url, "/a%20b?c=d");
      assert.equal(first.headers.host, "app.example.com");
      assert.equal(first.headers["x-twice"], "one, two");
      assert.equal(first.headers["user-agent"], "mine");
      assert.equal(first.headers.connection, "close");
      assert.equal(second.url, "/");
      assert.match(second.headers.host!, /^127\.0\.0\.1:\d+$/);
      assert.equal(second.headers["user-agent"], "kube-probe/1.36");
      assert.equal(second.headers.accept, "*/*");
      assert.notEqual(first.socket, second.socket);
    },
  );
});

test("a host that is a name is looked up", async () => {
  await withServer(
    (_, response) => response.end(),
    async (run) => assert.equal((await run({ host: "localhost" })).outcome, "success"),
  );
});

test("an answer that does not come in time has failed", async () => {
  await withServer(
    () => {},
    async (run) => {
      const { outcome, output } = await run({}, { timeoutSeconds: 1 });
      assert.equal(outcome, "failure");
      assert.match(output, /context deadline exceeded \(Client\.Timeout exceeded while awaiting headers\)$/);
    },
  );
});

test("what is no HTTP has failed, and says so", async () => {
  const server = createServer((socket) => socket.end("SSH-2.0\r\n\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await withServer(
      () => {},
      async (run) => {
        const { output } = await run({ port: (server.address() as AddressInfo).port });
        assert.match(output, /^Get "http:\/\/127\.0\.0\.1:\d+\/": malformed HTTP response "SSH-2\.0"$/);
      },
    );
  } finally {
    server.close();
  }
});
