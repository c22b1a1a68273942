import type { IncomingMessage } from "node:http";
import type { Duplex, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Clock, Log } from "../base/index.ts";
import type { ExitStatus, StdStreams } from "../client/index.ts";
import { badRequest } from "../machinery/index.ts";
import { exitReport, type Outcome } from "./exit-report.ts";
import { chooseProtocol, notAnUpgrade, openSpdy, refuseUpgrade, upgradeOf } from "./handshake.ts";
import type { SpdyStream } from "./spdy/index.ts";
import { TerminalSizes } from "./terminal-sizes.ts";
import { ChannelConnection, channelProtocol, handshakeFault, requestedProtocols } from "./websocket/index.ts";

/** As kubelet's `StreamCreationTimeout`. */
const streamCreationMsMax = 30_000;
/** After everything was sent, the client is the one to close; one that does not is not waited for. */
const lingerMsMax = 5_000;

const spdyProtocols = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];
const webSocketProtocols = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
  "",
];

/** The channels of a WebSocket. */
const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

export interface RemoteCommandOptions {
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  /** Which streams the request's query asks for; with `tty`, stderr is left out. At least one. */
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
  /**
   * Runs the command (or joins it). It may end stdout and stderr, or leave that to the server. The signal is aborted
   * when the client is gone. A `StatusError` that it rejects with reaches the client as it is.
   */
  run: (streams: StdStreams, signal: AbortSignal) => Promise<ExitStatus>;
  clock: Clock;
  log: Log;
}

/** A client's streams, whatever they come over. */
interface ClientStreams {
  std: StdStreams;
  errorFormat: "status" | "text";
  closed: Promise<void>;
  /** Sends the report after all output, and closes. */
  finish(report: string): Promise<void>;
  destroy(): void;
}

/**
 * Serves exec and attach over an upgraded connection: SPDY/3.1 (kubectl before 1.29, and v4 to v1 of the protocol) or
 * WebSocket (v5 to v1). Resolves once the connection is done with; never rejects.
 */
export async function serveRemoteCommand(options: RemoteCommandOptions): Promise<void> {
  const client = await openClient(options);
  if (!client) return;
  const gone = new AbortController();
  client.closed.then(() => gone.abort(new Error("the client closed the connection")));
  let outcome: Outcome;
  try {
    outcome = { exit: await options.run(client.std, gone.signal) };
  } catch (error) {
    outcome = { error };
  }
  if (gone.signal.aborted) return;
  try {
    await Promise.race([sendEnd(client, outcome), client.closed]);
    await Promise.race([options.clock.sleep(lingerMsMax), client.closed]);
  } catch (error) {
    options.log.debug({ err: error }, "a remote command's streams did not end in order");
  }
  client.destroy();
}

async function sendEnd(client: ClientStreams, outcome: Outcome): Promise<void> {
  const { stdout, stderr } = client.std;
  if ("exit" in outcome && outcome.exit.message !== undefined && outcome.exit.exitCode > 0) {
    // Why there is nothing else to see; the exit code says only that.
    const sink = stderr ?? stdout;
    if (sink && !sink.writableEnded) sink.write(`${outcome.exit.message}\n`);
  }
  await Promise.all([stdout, stderr].map(ended));
  await client.finish(exitReport(outcome, client.errorFormat));
}

/** Ends a stream that may have been ended, and waits for its last byte to be taken. */
async function ended(stream: Writable | undefined): Promise<void> {
  if (!stream || stream.destroyed) return;
  if (!stream.writableEnded) stream.end();
  // A client that gave up one stream still gets the rest.
  await finished(stream, { readable: false }).catch(() => {});
}

function openClient(options: RemoteCommandOptions): Promise<ClientStreams | undefined> {
  const { req, socket, stdin, stdout, stderr } = options;
  const upgrade = upgradeOf(req);
  if (!stdin && !stdout && !stderr) {
    refuseUpgrade(socket, badRequest("you must specify at least 1 of stdin, stdout, stderr"));
    return Promise.resolve(undefined);
  }
  if (upgrade === "spdy") return openSpdyClient(options);
  if (upgrade === "websocket") return openWebSocketClient(options);
  refuseUpgrade(socket, notAnUpgrade());
  return Promise.resolve(undefined);
}

function wantsStderr({ stderr, tty }: RemoteCommandOptions): boolean {
  return stderr && !tty;
}

async function openWebSocketClient(options: RemoteCommandOptions): Promise<ClientStreams | undefined> {
  const { req, socket, head, clock, stdin, stdout, tty } = options;
  const fault = handshakeFault(req);
  if (fault) {
    refuseUpgrade(socket, badRequest(`unable to upgrade websocket connection: ${fault}`));
    return undefined;
  }
  const requested = requestedProtocols(req);
  const name = chooseProtocol(requested, webSocketProtocols);
  if (name === undefined) {
    const why = `requested protocol(s) are not supported: ${requested.join(", ")}; supports ${webSocketProtocols.filter(Boolean).join(", ")}`;
    refuseUpgrade(socket, badRequest(`unable to upgrade websocket connection: ${why}`));
    return undefined;
  }
  const connection = new ChannelConnection({ req, socket, head, clock }, channelProtocol(name));
  const std: StdStreams = {
    ...(stdin && { stdin: connection.reader(channels.stdin) }),
    ...(stdout && { stdout: connection.writer(channels.stdout) }),
    ...(wantsStderr(options) && { stderr: connection.writer(channels.stderr) }),
    ...(tty && { resize: new TerminalSizes(connection.reader(channels.resize)) }),
  };
  // As kubelet: an empty message on the lowest channel says that the streams are there.
  const first = stdout ? channels.stdout : wantsStderr(options) ? channels.stderr : channels.error;
  await connection.send(first, Buffer.alloc(0));
  connection.start();
  return {
    std,
    errorFormat: /^v[45]\./.test(name) ? "status" : "text",
    closed: connection.closed,
    finish: async (report) => {
      if (report !== "") await connection.send(channels.error, Buffer.from(report));
      connection.close();
    },
    destroy: () => connection.destroy(),
  };
}

async function openSpdyClient(options: RemoteCommandOptions): Promise<ClientStreams | undefined> {
  const { clock, log, tty } = options;
  const byType = new Map<string, SpdyStream>();
  let onAll = () => {};
  const opened = openSpdy(options, spdyProtocols, (stream) => {
    const type = stream.headers.get("streamtype") ?? "";
    if (!expected.has(type) || byType.has(type)) return stream.reset();
    byType.set(type, stream);
    if (byType.size === expected.size) onAll();
  });
  if (!opened) return undefined;
  const { session, protocol } = opened;
  const hasResize = protocol.startsWith("v3.") || protocol.startsWith("v4.");
  const expected = new Set(["error"]);
  if (options.stdin) expected.add("stdin");
  if (options.stdout) expected.add("stdout");
  if (wantsStderr(options)) expected.add("stderr");
  if (tty && hasResize) expected.add("resize");

  const waiting = new AbortController();
  const all = new Promise<true>((resolve) => {
    onAll = () => resolve(true);
  });
  const late = clock.sleep(streamCreationMsMax, waiting.signal).catch(() => {});
  const isComplete = await Promise.race([all, late, session.closed]);
  waiting.abort();
  if (!isComplete) {
    log.debug({ has: [...byType.keys()] }, "the client did not create its streams in time");
    session.destroy();
    return undefined;
  }

  const { error, stdin, stdout, stderr, resize } = Object.fromEntries(byType) as Record<string, SpdyStream>;
  // Clients send nothing on these; their end must be seen for the stream to be over.
  for (const stream of [error, stdout, stderr]) stream?.resume();
  return {
    std: {
      ...(stdin && { stdin }),
      ...(stdout && { stdout }),
      ...(stderr && { stderr }),
      ...(resize && { resize: new TerminalSizes(resize) }),
    },
    errorFormat: protocol.startsWith("v4.") ? "status" : "text",
    closed: session.closed,
    finish: async (report) => {
      if (report !== "") error!.write(report);
      await ended(error);
      session.close();
    },
    destroy: () => session.destroy(),
  };
}
