import { spawn } from "node:child_process";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { timeMs } from "./measure.ts";

const block = Buffer.from(`${"x".repeat(99)}\n`.repeat(10_000));

/** What kubectl asks before it asks for a log; as little as it takes. */
const answers: Record<string, object> = {
  "/api": { kind: "APIVersions", versions: ["v1"] },
  "/apis": { kind: "APIGroupList", apiVersion: "v1", groups: [] },
  "/api/v1": {
    kind: "APIResourceList",
    groupVersion: "v1",
    resources: [{ name: "pods", singularName: "pod", namespaced: true, kind: "Pod", verbs: ["get"] }],
  },
  "/api/v1/namespaces/default/pods/lines": {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "lines", namespace: "default" } },
    spec: { containers: [{ name: "box", image: "box" }] },
  },
};

/**
 * How long kubectl itself takes for a log of lines of 100 bytes, of a server that does nothing but send them, without
 * TLS: it reads and writes line by line.
 */
export async function kubectlLogsAloneMs(kubectl: string, bytes: number, cacheDir: string): Promise<number> {
  const server = createServer((request, response) => {
    const path = request.url!.split("?")[0]!;
    if (path.endsWith("/log")) void sendLines(response, bytes);
    else {
      response.setHeader("content-type", "application/json");
      if (!answers[path]) response.statusCode = 404;
      response.end(JSON.stringify(answers[path] ?? { kind: "Status", apiVersion: "v1", status: "Failure" }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const args = ["--server", url, "--kubeconfig", "/dev/null", "--cache-dir", cacheDir, "logs", "lines"];
  try {
    return await timeMs(
      () =>
        new Promise((resolve, reject) => {
          const child = spawn(kubectl, args, { stdio: ["ignore", "ignore", "inherit"] });
          child.once("exit", (code) => (code === 0 ? resolve(code) : reject(new Error(`kubectl: ${code}`))));
        }),
    );
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

async function sendLines(response: ServerResponse, bytes: number): Promise<void> {
  response.setHeader("content-type", "text/plain");
  for (let sent = 0; sent < bytes; sent += block.length)
    if (!response.write(block)) await new Promise((resolve) => response.once("drain", resolve));
  response.end();
}
