import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../../base/index.ts";
import { FrameReceiver, type FrameSink } from "./receiver.ts";

/**
 * kubectl gives a connection up that has not answered its pings for a minute. While a slow consumer keeps it from
 * being read, unasked pongs say that it lives; and a client that vanished is noticed by the failing write.
 */
const pongEveryMs = 15_000;
/** The client's answer to a close frame is waited for so long. */
const closeMsMax = 5_000;
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The first byte of a frame that is a whole message. */
const frames = { text: 0x81, binary: 0x82, close: 0x88, pong: 0x8a } as const;
const nothing = Buffer.alloc(0);

/** The subprotocols that a client names, best first; `""` where it names none. */
export function requestedProtocols(req: IncomingMessage): string[] {
  const header = req.headers["sec-websocket-protocol"];
  return header === undefined ? [""] : header.split(",").map((name) => name.trim());
}

/** What is wrong with a handshake (RFC 6455, section 4.2.1), if anything. */
export function handshakeFault(req: IncomingMessage): string | undefined {
  if (req.method !== "GET") return "a WebSocket handshake is a GET";
  if (req.headers["sec-websocket-version"] !== "13") return "only version 13 of WebSocket is supported";
  const key = req.headers["sec-websocket-key"] ?? "";
  return /^[+/0-9A-Za-z]{22}==$/.test(key) ? undefined : "invalid Sec-WebSocket-Key";
}

export interface WebSocketOptions {
  /** Whose {@link handshakeFault} there is none. */
  req: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  clock: Clock;
  onPiece: FrameSink["piece"];
}

/**
 * The server's end of a WebSocket that is made for much data: nothing is copied or put together either way, and both
 * sides can be held back. Own code, for libraries assemble whole messages first.
 */
export class WebSocketConnection implements FrameSink {
  /** Resolves once the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #onPiece: FrameSink["piece"];
  readonly #drained: (() => void)[] = [];
  readonly #holders = new Set<object>();
  #state: "open" | "closing" | "closed" = "open";
  #pong: Timer | undefined;
  #closing: Timer | undefined;

  /** Answers the handshake with the one subprotocol of the request's that was chosen. Nothing is read before `start`. */
  constructor(options: WebSocketOptions, protocol: string) {
    const { req, socket, head } = options;
    this.#socket = socket;
    this.#clock = options.clock;
    this.#onPiece = options.onPiece;
    (socket as Partial<Socket>).setNoDelay?.(true);
    const accept = createHash("sha1")
      .update(`${req.headers["sec-websocket-key"]}${acceptSuffix}`)
      .digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n${protocol && `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    const receiver = new FrameReceiver(this);
    // `close` follows.
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("drain", () => this.#release());
    this.closed = new Promise((resolve) => {
      if (socket.destroyed) resolve();
      socket.once("close", () => resolve());
    });
    this.closed.then(() => this.#end());
    this.#armPong();
    this.hold(this);
    socket.on("data", (chunk: Buffer) => receiver.receive(chunk));
  }

  start(): void {
    this.unhold(this);
  }

  get isOpen(): boolean {
    return this.#state === "open" && !this.#socket.destroyed;
  }

  /** Sends `prefix` and `pieces` as one binary message; `done` when there is room for the next. */
  sendBinary(prefix: Buffer, pieces: readonly Buffer[], done: (error?: Error | null) => void): void {
    this.#send(frames.binary, prefix, pieces, done);
  }

  sendText(text: string, done: (error?: Error | null) => void): void {
    this.#send(frames.text, Buffer.from(text), [], done);
  }

  /** Nothing is read while anyone holds. */
  hold(holder: object): void {
    this.#holders.add(holder);
    this.#socket.pause();
  }

  unhold(holder: object): void {
    if (this.#holders.delete(holder) && this.#holders.size === 0) this.#socket.resume();
  }

  /** Says goodbye, and goes when the client does; after a while, without it. */
  close(code: number, reason = ""): void {
    if (!this.isOpen) return;
    this.#state = "closing";
    const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
    this.#socket.write(frameHead(frames.close, payload.length, payload));
    this.#closing = this.#clock.after(closeMsMax, () => this.#socket.destroy());
    // Whoever held may not come back, and the client's own close frame is to be seen.
    this.#holders.clear();
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  piece(data: Buffer, at: { isStart: boolean; isEnd: boolean }): void {
    if (this.#state === "open") this.#onPiece(data, at);
  }

  ping(payload: Buffer): void {
    if (this.isOpen) this.#socket.write(frameHead(frames.pong, payload.length, payload));
  }

  /** From the client: the last that it says. */
  peerClosed(payload: Buffer): void {
    if (this.#state === "open") {
      const code = payload.subarray(0, 2);
      this.#socket.write(frameHead(frames.close, code.length, code));
    }
    this.#state = "closed";
    this.#socket.end();
    this.#closing ??= this.#clock.after(closeMsMax, () => this.#socket.destroy());
  }

  fail(closeCode: number, why: string): void {
    this.close(closeCode, why);
    this.#socket.end();
  }

  /** A frame that is not masked, as a server's are (section 5.1). */
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

  #end(): void {
    this.#state = "closed";
    this.#pong?.cancel();
    this.#closing?.cancel();
    this.#release();
  }

  #armPong(): void {
    this.#pong = this.#clock.after(pongEveryMs, () => {
      this.ping(nothing);
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
