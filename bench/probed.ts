/* What bench/probes.ts probes: HTTP and gRPC health on ports of its choice, told on its output as one line of JSON. */
import http from "node:http";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";

const serving = Buffer.from([0, 0, 0, 0, 2, 0x08, 1]);
const plain = http.createServer((_, response) => response.end("ok"));
const grpc = http2.createServer();
grpc.on("stream", (stream) => {
  // Who probes does not stay for what comes after the answer.
  stream.on("error", () => {});
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(serving);
});
plain.listen(0, "127.0.0.1", () => {
  grpc.listen(0, "127.0.0.1", () => {
    const portOf = (server: http.Server | http2.Http2Server) => (server.address() as AddressInfo).port;
    console.log(JSON.stringify({ http: portOf(plain), grpc: portOf(grpc) }));
  });
});
