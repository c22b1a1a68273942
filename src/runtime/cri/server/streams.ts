import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Log, Random, Timer } from "../../../base/index.ts";
import { servePortForward, serveRemoteCommand } from "../../../streaming/index.ts";
import { type Runtime, RuntimeError } from "../../contract.ts";
import type { Message } from "../wire/index.ts";

/** Of an upgraded connection. */
interface UpgradedRequest {
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  clock: Clock;
  log: Log;
}

/** As cri-streaming: a URL is for its first use, within a minute, and a thousand may wait. */
const urlMsMax = 60_000;
const urlsMax = 1000;

type StreamRequest =
  | { do: "exec"; request: Message<"ExecRequest"> }
  | { do: "attach"; request: Message<"AttachRequest"> }
  | { do: "portforward"; request: Message<"PortForwardRequest"> };

/**
 * Exec, attach and port-forward by CRI's two steps: a call leaves its request here and gets a URL with a secret, and
 * whoever comes with it (the API server, `crictl`) is served. On loopback only.
 */
export class StreamServer {
  readonly #options: { runtime: Runtime; clock: Clock; random: Random; log: Log };
  readonly #server: Server;
  readonly #waiting = new Map<string, { request: StreamRequest; expiry: Timer }>();
  readonly #sockets = new Set<Socket>();

  constructor(options: {
    runtime: Runtime;
    clock: Clock;
    random: Random;
    log: Log;
  }) {
    this.#options = options;
    this.#server = createServer((_, response) => response.writeHead(404).end());
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (req, socket, head) => this.#upgrade({ req, socket, head }));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", resolve);
    });
  }

  /** Ends what is being served too. */
  async close(): Promise<void> {
    for (const { expiry } of this.#waiting.values()) expiry.cancel();
    this.#waiting.clear();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  urlFor(request: StreamRequest): string {
    if (this.#waiting.size >= urlsMax)
      throw new RuntimeError("Internal", `${urlsMax} streaming requests wait for their clients already`);
    const token = this.#options.random.uuid();
    const expiry = this.#options.clock.after(urlMsMax, () => this.#waiting.delete(token));
    this.#waiting.set(token, { request, expiry });
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/${request.do}/${token}`;
  }

  #upgrade(upgraded: { req: IncomingMessage; socket: Duplex; head: Buffer }): void {
    const { req, socket } = upgraded;
    socket.on("error", () => socket.destroy());
    const [, kind, token = ""] = (req.url ?? "").split("?", 1)[0]!.split("/");
    const waiting = this.#waiting.get(token);
    if (waiting?.request.do !== kind) {
      socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
      return;
    }
    waiting!.expiry.cancel();
    this.#waiting.delete(token);
    const { clock, log } = this.#options;
    void this.#serve(waiting!.request, { ...upgraded, clock, log });
  }

  #serve(wanted: StreamRequest, upgraded: UpgradedRequest): Promise<void> {
    const { runtime } = this.#options;
    switch (wanted.do) {
      case "exec": {
        const { containerId, cmd: command, ...streams } = wanted.request;
        return serveRemoteCommand({
          ...upgraded,
          ...streams,
          run: (std, signal) => runtime.exec(containerId, { command, tty: streams.tty }, std, signal),
        });
      }
      case "attach": {
        const { containerId, ...streams } = wanted.request;
        return serveRemoteCommand({
          ...upgraded,
          ...streams,
          run: async (std, signal) => {
            await runtime.attach(containerId, { tty: streams.tty }, std, signal);
            return { exitCode: 0 };
          },
        });
      }
      case "portforward": {
        const { podSandboxId, port: ports } = wanted.request;
        return servePortForward({
          ...upgraded,
          ...(ports.length > 0 && { ports }),
          connect: (port) => runtime.portForward(podSandboxId, port),
        });
      }
    }
  }
}
