import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { RunningCluster } from "../cluster.ts";
import type { ControlRequest } from "./protocol.ts";

/** A request is a path or a name: far below this. */
const bodyBytesMax = 64 * 1024;

/**
 * The running process's own door, for `peapod status`, `image …` and `down`: HTTP over a unix socket that only
 * root can open. Returns the way to close it.
 */
export async function serveControl(
  socketPath: string,
  cluster: RunningCluster,
  onStop: (options: { pods: "stop" | "keep" }) => Promise<void>,
): Promise<() => Promise<void>> {
  const answer = async (request: ControlRequest): Promise<unknown> => {
    switch (request.do) {
      case "status":
        return cluster.status();
      case "images":
        return cluster.images.list();
      case "loadImage":
        return cluster.images.load(request.path, { tag: request.tag });
      case "pullImage":
        return cluster.images.pull(request.name);
      case "removeImage":
        return cluster.images.remove(request.name);
      case "stop":
        return onStop({ pods: request.pods });
    }
  };
  const server = createServer((req, res) => {
    void readBody(req)
      .then((body) => answer(JSON.parse(body) as ControlRequest))
      .then(
        (value) => res.end(JSON.stringify({ value: value ?? null })),
        (error: Error) => res.writeHead(500).end(JSON.stringify({ error: error.message })),
      );
  });
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) throw new Error("request too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
