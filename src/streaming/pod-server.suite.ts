import { spawn } from "node:child_process";
import { once } from "node:events";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { keyPem, newKey, signCertificate } from "../auth/certificate.ts";
import { SystemClock, silentLog } from "../base/index.ts";
import type { ExitStatus, StdStreams } from "../client/index.ts";
import { servePortForward, serveRemoteCommand } from "./index.ts";

/** What a test decides of its pod. */
export interface TestPod {
  run?: (command: readonly string[], streams: StdStreams, signal: AbortSignal) => Promise<ExitStatus>;
  connect?: Parameters<typeof servePortForward>[0]["connect"];
}

export interface PodServer {
  url: string;
  /** Names of the stream protocols that clients were served with, in order. */
  protocols: string[];
  pod: TestPod;
  close(): Promise<void>;
}

const podObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default", uid: "00000000-0000-4000-8000-000000000000" },
  spec: { containers: [{ name: "c", image: "busybox", stdin: true }] },
  status: { phase: "Running" },
};
const discovery: Record<string, unknown> = {
  "/api": { kind: "APIVersions", versions: ["v1"] },
  "/apis": { kind: "APIGroupList", apiVersion: "v1", groups: [] },
  "/api/v1": {
    kind: "APIResourceList",
    groupVersion: "v1",
    resources: [
      {
        name: "pods",
        singularName: "pod",
        namespaced: true,
        kind: "Pod",
        verbs: ["get"],
        shortNames: ["po"],
      },
    ],
  },
  "/version": { major: "1", minor: "36", gitVersion: "v1.36.0" },
  "/api/v1/namespaces/default/pods/p": podObject,
};

/** Just enough of an API server that kubectl can exec into, attach to and forward to one pod. */
export async function startPodServer(pod: TestPod = {}): Promise<PodServer> {
  const clock = new SystemClock();
  const log = silentLog;
  const server = https.createServer(selfSigned(), (req, res) => {
    const path = new URL(req.url!, "https://pod").pathname;
    const body = discovery[path];
    res.writeHead(body ? 200 : 404, { "content-type": "application/json" });
    res.end(JSON.stringify(body ?? { kind: "Status", apiVersion: "v1", status: "Failure", code: 404 }));
  });
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const result: PodServer = {
    url: "",
    protocols: [],
    pod,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
  server.on("upgrade", (req, socket, head) => {
    const { pathname, searchParams } = new URL(req.url!, "https://pod");
    const named = req.headers["sec-websocket-protocol"] ?? req.headers["x-stream-protocol-version"] ?? "";
    result.protocols.push(`${req.headers.upgrade} ${named}`);
    const flag = (name: string) => ["1", "true"].includes(searchParams.get(name) ?? "");
    const upgraded = { req, socket, head, clock, log };
    if (pathname.endsWith("/portforward")) {
      const ports = searchParams.getAll("ports").flatMap((list) => list.split(",").map(Number));
      const connect = result.pod.connect ?? (() => Promise.reject(new Error("nothing listens")));
      void servePortForward({ ...upgraded, ports, connect });
      return;
    }
    const command = pathname.endsWith("/exec") ? searchParams.getAll("command") : ["cat"];
    const run = result.pod.run ?? runLocally;
    void serveRemoteCommand({
      ...upgraded,
      stdin: flag("stdin"),
      stdout: flag("stdout"),
      stderr: flag("stderr"),
      tty: flag("tty"),
      run: (streams, signal) => run(command, streams, signal),
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  result.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return result;
}

/** A command as a child process here, in place of a container. */
export function runLocally(
  command: readonly string[],
  streams: StdStreams,
  signal: AbortSignal,
): Promise<ExitStatus> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { stdio: ["pipe", "pipe", "pipe"] });
  signal.addEventListener("abort", () => child.kill("SIGKILL"));
  child.stdin.on("error", () => {});
  if (streams.stdin) streams.stdin.pipe(child.stdin);
  else child.stdin.end();
  if (streams.stdout) child.stdout.pipe(streams.stdout);
  else child.stdout.resume();
  if (streams.stderr) child.stderr.pipe(streams.stderr);
  else child.stderr.resume();
  return new Promise((resolve) => {
    child.on("error", () =>
      resolve({ exitCode: 127, message: `exec: "${program}": executable file not found in $PATH` }),
    );
    child.on("close", (code) => resolve({ exitCode: code ?? 137 }));
  });
}

function selfSigned(): { key: string; cert: string } {
  const { publicKey, privateKey } = newKey();
  const subject = { commonName: "test" };
  const cert = signCertificate({
    subject,
    publicKey,
    notBeforeMs: Date.now() - 60_000,
    notAfterMs: Date.now() + 3_600_000,
    use: "server",
    sans: ["127.0.0.1"],
    issuer: { subject, key: privateKey },
  });
  return { key: keyPem(privateKey), cert };
}
