import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { Clock, Timer } from "../../../base/index.ts";

/** Of one message from a client. kubectl sends 32 KiB at most; others may send what they read at once. */
const messageBytesMax = 16 << 20;
/**
 * kubectl gives a connection up that has not answered its pings for a minute. While a slow consumer keeps it from
 * being read, unasked pongs say that it lives; and a client that vanished is noticed by the failing write.
 */
const pongEveryMs = 15_000;
const textFrame = 0x81;
const binaryFrame = 0x82;

const server = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: messageBytesMax,
  clientTracking: false,
});

/** What each handshake under way is answered with. */
const chosenProtocols = new WeakMap<IncomingMessage, string>();
server.on("headers", (lines, req) => {
  const protocol = chosenProtocols.get(req);
  if (protocol) lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
});

/** The subprotocols that a client names, best first; `""` where it names none. */
export function requestedProtocols(req: IncomingMessage): string[] {
  const header = req.headers["sec-websocket-protocol"];
  return header === undefined ? [""] : header.split(",").map((name) => name.trim());
}

export interface WebSocketOptions {
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  clock: Clock;
  onMessage: (message: Buffer) => void;
}

/**
 * A client's WebSocket, for much data: messages go straight to the socket, without a copy, and both sides can be held
 * back. `ws` does the handshake, receives, and closes.
 */
export class WebSocketConnection {
  /** Resolves once the connection is gone. */
  readonly closed: Promise<void>;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #drained: (() => void)[] = [];
  readonly #holders = new Set<object>();
  #pong: Timer | undefined;

  private constructor(ws: WebSocket, options: WebSocketOptions) {
    this.#ws = ws;
    this.#socket = options.socket;
    this.#clock = options.clock;
    ws.binaryType = "nodebuffer";
    ws.on("message", (message: Buffer) => options.onMessage(message));
    // A protocol error of the client; `close` follows.
    ws.on("error", () => {});
    options.socket.on("drain", () => this.#release());
    this.closed = new Promise((resolve) => ws.once("close", () => resolve()));
    this.closed.then(() => {
      this.#pong?.cancel();
      this.#release();
    });
    this.#armPong();
    // Not a message may come before whoever it is for is there.
    this.hold(this);
  }

  /** Answers the handshake with the one subprotocol of the request's that was chosen. No message comes before `start`. */
  static open(options: WebSocketOptions, protocol: string): Promise<WebSocketConnection> {
    const { req, socket, head } = options;
    // Not left to `ws`, which refuses names with a "/" in them: RFC 6455 does, kubectl's tunnel has one.
    delete req.headers["sec-websocket-protocol"];
    chosenProtocols.set(req, protocol);
    (socket as Partial<Socket>).setNoDelay?.(true);
    return new Promise((resolve, reject) => {
      const onClose = () => reject(new Error("not a valid WebSocket handshake"));
      socket.once("close", onClose);
      server.handleUpgrade(req, socket, head, (ws) => {
        socket.off("close", onClose);
        resolve(new WebSocketConnection(ws, options));
      });
    });
  }

  get isOpen(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** Sends `prefix` and `pieces` as one binary message; `done` when there is room for the next. */
  sendBinary(prefix: Buffer, pieces: readonly Buffer[], done: (error?: Error | null) => void): void {
    this.#send(binaryFrame, prefix, pieces, done);
  }

  sendText(text: string, done: (error?: Error | null) => void): void {
    this.#send(textFrame, Buffer.from(text), [], done);
  }

  start(): void {
    this.unhold(this);
  }

  /** Nothing is read while anyone holds. */
  hold(holder: object): void {
    if (this.#holders.size === 0) this.#ws.pause();
    this.#holders.add(holder);
  }

  unhold(holder: object): void {
    if (this.#holders.delete(holder) && this.#holders.size === 0) this.#ws.resume();
  }

  close(code: number, reason = ""): void {
    this.#ws.close(code, reason);
    // The client's own close frame is to be seen.
    this.#ws.resume();
  }

  destroy(): void {
    this.#ws.terminate();
  }

  /** A frame that is not masked, as a server's are (RFC 6455, section 5.2). */
  #send(kind: number, prefix: Buffer, pieces: readonly Buffer[], done: (error?: Error | null) => void): void {
    if (!this.isOpen) {
      done(new Error("the connection is closed"));
      return;
    }
    let lengthBytes = prefix.length;
    for (const piece of pieces) lengthBytes += piece.length;
    const head = frameHead(kind, lengthBytes, prefix);
    const socket = this.#socket;
    if (pieces.length > 0) socket.cork();
    socket.write(head);
    for (const piece of pieces) socket.write(piece);
    if (pieces.length > 0) socket.uncork();
    if (socket.writableNeedDrain) this.#drained.push(done);
    else done();
  }

  #release(): void {
    for (const done of this.#drained.splice(0)) done();
  }

  #armPong(): void {
    this.#pong = this.#clock.after(pongEveryMs, () => {
      if (!this.isOpen) return;
      this.#ws.pong();
      this.#armPong();
    });
  }
}

function frameHead(kind: number, lengthBytes: number, prefix: Buffer): Buffer {
  const lengthField = lengthBytes < 126 ? 0 : lengthBytes < 65536 ? 2 : 8;
  const head = Buffer.allocUnsafe(2 + lengthField + prefix.length);
  head[0] = kind;
  if (lengthField === 0) head[1] = lengthBytes;
  else if (lengthField === 2) {
    head[1] = 126;
    head.writeUInt16BE(lengthBytes, 2);
  } else {
    head[1] = 127;
    head.writeUInt32BE(Math.floor(lengthBytes / 2 ** 32), 2);
    head.writeUInt32BE(lengthBytes >>> 0, 6);
  }
  prefix.copy(head, 2 + lengthField);
  return head;
}
