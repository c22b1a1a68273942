import type { IncomingMessage } from "node:http";
import { type Duplex, type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "../base/index.ts";
import { badRequest } from "../machinery/index.ts";
import { chooseProtocol, notAnUpgrade, refuseUpgrade, upgradeOf } from "./handshake.ts";
import { handshakeFault, requestedProtocols, WebSocketConnection } from "./websocket/index.ts";

const protocols = ["binary.k8s.io", "base64.binary.k8s.io", ""];
const nothing = Buffer.alloc(0);
const writeAheadBytes = 192 * 1024;

export interface StreamReaderOptions {
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  /** Called once the client is known to understand; the signal is aborted when it is gone. */
  open: (signal: AbortSignal) => Promise<Readable>;
  clock: Clock;
}

/**
 * Sends a stream of bytes (a log) over a WebSocket, as it is or in base64 by the subprotocol. Rejects with what `open` does,
 * before anything is answered; later failures end the connection. Counterpart upstream: `wsstream.Reader`.
 */
export async function serveStreamReader(options: StreamReaderOptions): Promise<void> {
  const { req, socket, head, clock } = options;
  if (upgradeOf(req) !== "websocket") return refuseUpgrade(socket, notAnUpgrade());
  const requested = requestedProtocols(req);
  const protocol = chooseProtocol(requested, protocols);
  const unknown = `requested protocol(s) are not supported: ${requested.join(", ")}`;
  const fault = handshakeFault(req) ?? (protocol === undefined ? unknown : undefined);
  if (fault) return refuseUpgrade(socket, badRequest(`unable to upgrade websocket connection: ${fault}`));
  const gone = new AbortController();
  socket.once("close", () => gone.abort(new Error("the client closed the connection")));
  const stream = await options.open(gone.signal);
  const connection = new WebSocketConnection({ req, socket, head, clock, onPiece: () => {} }, protocol!);
  connection.start();
  const isBase64 = protocol!.startsWith("base64.");
  const send = (pieces: readonly Buffer[], done: (error?: Error | null) => void) => {
    if (isBase64) connection.sendText(Buffer.concat([...pieces]).toString("base64"), done);
    else connection.sendBinary(nothing, pieces, done);
  };
  // As upstream: an empty message says that the connection is there.
  await new Promise<void>((resolve) => send([nothing], () => resolve()));
  try {
    await pipeline(stream, new MessageWriter(send));
    connection.close(1000);
  } catch {
    connection.destroy();
  }
  await connection.closed;
}

class MessageWriter extends Writable {
  readonly #send: (pieces: readonly Buffer[], done: (error?: Error | null) => void) => void;

  constructor(send: (pieces: readonly Buffer[], done: (error?: Error | null) => void) => void) {
    super({ highWaterMark: writeAheadBytes });
    this.#send = send;
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([piece], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const pieces = chunks.map(({ chunk }) => chunk);
    this.#send(pieces, done);
  }
}
