import type { IncomingMessage } from "node:http";
import type { Duplex, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Clock, createLifetime, type Log, type Timer } from "../base/index.ts";
import { badRequest } from "../machinery/index.ts";
import { chooseProtocol, notAnUpgrade, openSpdy, refuseUpgrade, upgradeOf } from "./handshake.ts";
import { SpdySession, type SpdyStream } from "./spdy/index.ts";
import {
  ChannelConnection,
  channelProtocol,
  handshakeFault,
  requestedProtocols,
  Tunnel,
} from "./websocket/index.ts";

const forwardProtocol = "portforward.k8s.io";
const tunnelProtocol = `SPDY/3.1+${forwardProtocol}`;
const channelProtocols = ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", ""];
/** Both streams of one connection must be there by then. As kubelet's `StreamCreationTimeout`. */
const pairMsMax = 30_000;
/** Two channels each, and a channel is one byte. */
const portsMax = 127;

export interface PortForwardOptions {
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  /** From the query (`?ports=`), which only clients of the old WebSocket protocol send. */
  ports?: readonly number[];
  /** A connection to the pod's port. Its failure is told to the client; the signal is aborted when that is gone. */
  connect: (port: number, signal: AbortSignal) => Promise<Duplex>;
  clock: Clock;
  log: Log;
}

/**
 * Serves port-forward over an upgraded connection: SPDY/3.1, SPDY tunnelled through a WebSocket (kubectl since 1.31),
 * or a WebSocket with two channels for each port of the query (other client libraries). Any number of connections go
 * through one. Resolves once the connection is done with; never rejects.
 */
export async function servePortForward(options: PortForwardOptions): Promise<void> {
  const { req, socket } = options;
  const upgrade = upgradeOf(req);
  if (upgrade === "spdy") {
    const pairs = new StreamPairs(options);
    const opened = openSpdy(options, [forwardProtocol], (stream) => pairs.add(stream));
    if (opened) await pairs.serve(opened.session);
    return;
  }
  if (upgrade !== "websocket") return refuseUpgrade(socket, notAnUpgrade());
  const known = [tunnelProtocol, ...channelProtocols];
  const protocol = chooseProtocol(requestedProtocols(req), known);
  const unknown = `requested protocol(s) are not supported: ${requestedProtocols(req).join(", ")}`;
  const fault = handshakeFault(req) ?? (protocol === undefined ? unknown : undefined);
  if (fault) refuseUpgrade(socket, badRequest(`unable to upgrade websocket connection: ${fault}`));
  else if (protocol === tunnelProtocol) await serveTunnel(options);
  else await serveChannels(options, protocol!);
}

async function serveTunnel(options: PortForwardOptions): Promise<void> {
  const pairs = new StreamPairs(options);
  const { req, socket, head, clock } = options;
  const tunnel = new Tunnel({ req, socket, head, clock }, tunnelProtocol);
  await pairs.serve(new SpdySession(tunnel, (stream) => pairs.add(stream)));
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  expiry?: Timer;
}

/** Each forwarded connection is a pair of streams, for data and for what went wrong, with the same request id. */
class StreamPairs {
  readonly #options: PortForwardOptions;
  readonly #pairs = new Map<string, Pair>();
  readonly #gone = createLifetime();

  constructor(options: PortForwardOptions) {
    this.#options = options;
    // One for each connection through here.
  }

  async serve(session: SpdySession): Promise<void> {
    await session.closed;
    for (const { expiry } of this.#pairs.values()) expiry?.cancel();
    this.#gone.abort(new Error("the client closed the connection"));
  }

  add(stream: SpdyStream): void {
    const type = stream.headers.get("streamtype");
    const port = parsePort(stream.headers.get("port") ?? "");
    const isKnown = type === "data" || type === "error";
    const id = isKnown ? requestIdOf(stream, type) : "";
    const pair = this.#pairs.get(id) ?? {};
    if (!isKnown || port === undefined || pair[type]) {
      stream.reset();
      return;
    }
    pair[type] = stream;
    if (!pair.data || !pair.error) {
      this.#pairs.set(id, pair);
      pair.expiry = this.#expire(id, pair);
      return;
    }
    pair.expiry?.cancel();
    this.#pairs.delete(id);
    void this.#forward(port, pair.data, pair.error);
  }

  #expire(id: string, pair: Pair): Timer {
    return this.#options.clock.after(pairMsMax, () => {
      this.#pairs.delete(id);
      pair.error?.end(`request ${id}: timed out waiting for streams`);
      pair.data?.reset();
    });
  }

  async #forward(port: number, data: SpdyStream, error: SpdyStream): Promise<void> {
    error.resume();
    try {
      await join(data, await this.#options.connect(port, this.#gone.signal));
      error.end();
    } catch (failure) {
      const message = `error forwarding port ${port}: ${(failure as Error).message}`;
      this.#options.log.debug({ err: failure, port }, "port-forward failed");
      // Only once the client can read why: a reset of the data ends it at once.
      error.end(message, () => data.reset());
    }
  }
}

/** Clients from before request ids make the two streams one after the other: error, then data. As kubelet. */
function requestIdOf(stream: SpdyStream, type: "data" | "error"): string {
  return stream.headers.get("requestid") ?? String(type === "error" ? stream.id : stream.id - 2);
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65535 ? port : undefined;
}

/**
 * Carries both directions; the end of one is passed on and leaves the other. Rejects only where the connection
 * into the pod failed, not where the client left.
 */
async function join(client: Duplex, target: Duplex): Promise<void> {
  let failure: Error | undefined;
  target.once("error", (error) => {
    failure = error;
  });
  await Promise.allSettled([
    pipeline(client, target, { end: true }),
    pipeline(target, client, { end: true }),
  ]);
  target.destroy();
  const isOrdinary =
    !failure || ["EPIPE", "ECONNRESET"].includes((failure as NodeJS.ErrnoException).code ?? "");
  if (!isOrdinary && !client.destroyed) throw failure;
}

async function serveChannels(options: PortForwardOptions, protocol: string): Promise<void> {
  const { socket, ports = [], clock, log } = options;
  if (ports.length === 0) return refuseUpgrade(socket, badRequest('query parameter "ports" is required'));
  if (ports.length > portsMax) return refuseUpgrade(socket, badRequest(`more than ${portsMax} ports`));
  const { req, head } = options;
  const connection = new ChannelConnection({ req, socket, head, clock }, channelProtocol(protocol));
  const gone = new AbortController();
  connection.closed.then(() => gone.abort(new Error("the client closed the connection")));
  const forwards = ports.map(async (port, i) => {
    const from = connection.reader(i * 2);
    const to = connection.writer(i * 2);
    const error = connection.writer(i * 2 + 1);
    // The first message of each channel says which port it is for.
    const portBytes = Buffer.alloc(2);
    portBytes.writeUInt16LE(port);
    to.write(portBytes);
    error.write(portBytes);
    await forwardChannel({ port, from, to, error }, options, gone.signal).catch((failure: Error) => {
      log.debug({ err: failure, port }, "port-forward failed");
    });
  });
  connection.start();
  await Promise.race([Promise.all(forwards), connection.closed]);
  connection.close();
  await connection.closed;
}

async function forwardChannel(
  channel: { port: number; from: NodeJS.ReadableStream; to: Writable; error: Writable },
  options: PortForwardOptions,
  signal: AbortSignal,
): Promise<void> {
  const { port, from, to, error } = channel;
  let target: Duplex;
  try {
    target = await options.connect(port, signal);
  } catch (failure) {
    const message = `error forwarding port ${port}: ${(failure as Error).message}`;
    await new Promise((resolve) => error.end(message, () => resolve(undefined)));
    throw failure;
  }
  try {
    // This protocol cannot end one direction: what ends is the pod's side, or the whole connection.
    pipeline(from, target).catch(() => {});
    await pipeline(target, to);
  } finally {
    target.destroy();
  }
}
