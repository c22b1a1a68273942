import assert from "node:assert/strict";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SystemClock } from "../../base/index.ts";
import { openDialer, type Runtime } from "../../runtime/index.ts";
import { grpcHealth } from "./grpc-health.ts";
import { runProbe } from "./run-probe.ts";

/** A server of grpc.health.v1 that knows the service `known` alone. */
async function withServer(body: (port: number) => Promise<void>): Promise<void> {
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const asked = Buffer.concat(chunks).subarray(7).toString();
      if (asked === "slow") return;
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () =>
        stream.sendTrailers({ "grpc-status": asked === "nobody" ? "12" : "0", "grpc-message": "unknown" }),
      );
      assert.equal(headers[":path"], "/grpc.health.v1.Health/Check");
      stream.end(
        asked === "nobody" ? undefined : Buffer.from([0, 0, 0, 0, 2, 0x08, asked === "known" ? 1 : 2]),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await body((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

test("a gRPC health check tells serving from not serving, unserved and unreachable", () =>
  withServer(async (port) => {
    const options = { signal: new AbortController().signal, timeoutText: "1s" };
    assert.deepEqual(await grpcHealth("127.0.0.1", port, "known", options), { isServing: true });
    assert.deepEqual(await grpcHealth("127.0.0.1", port, "other", options), {
      isServing: false,
      message: 'service unhealthy (responded with "NOT_SERVING")',
    });
    assert.deepEqual(await grpcHealth("127.0.0.1", port, "nobody", options), {
      isServing: false,
      message:
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown",
    });
    const away = await grpcHealth("127.0.0.1", 1, "", options);
    assert.match(
      (away as { message: string }).message,
      /^error: failed to connect service at "127\.0\.0\.1:1": /,
    );
  }));

test("a gRPC probe says the same, of the pod's address, and what did not come in time", () =>
  withServer(async (port) => {
    const clock = new SystemClock();
    const dialer = await openDialer(clock);
    const target = { container: { name: "c", image: "i" }, containerId: "c", podIp: "127.0.0.1" };
    const run = (grpc: corev1.GRPCAction) =>
      runProbe({ grpc, timeoutSeconds: grpc.service === "slow" ? 1 : 30 }, target, {
        ...{ clock, dialer, runtime: {} as Runtime },
      });
    const failure = (output: string) => ({ outcome: "failure", output });
    try {
      assert.deepEqual(await run({ port, service: "known" }), { outcome: "success" });
      assert.deepEqual(
        await run({ port, service: "other" }),
        failure('service unhealthy (responded with "NOT_SERVING")'),
      );
      assert.deepEqual(
        await run({ port, service: "nobody" }),
        failure(
          "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown",
        ),
      );
      assert.deepEqual(
        await run({ port, service: "slow" }),
        failure("timeout: health rpc did not complete within 1s"),
      );
      const away = await run({ port: 1 });
      assert.match(
        (away as { output: string }).output,
        /^error: failed to connect service at "127\.0\.0\.1:1": /,
      );
    } finally {
      dialer.close();
    }
  }));
