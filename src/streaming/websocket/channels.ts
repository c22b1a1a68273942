import { Readable, Writable } from "node:stream";
import { WebSocketConnection, type WebSocketOptions } from "./connection.ts";

/** Read ahead for a consumer that is slower than its client; past it the whole connection waits. */
const readAheadBytes = 256 * 1024;
/** Gathered from a producer while the socket is busy: the larger a write, the less it costs a byte. */
const writeAheadBytes = 512 * 1024;
/** v5's message that a channel has ended: this, then the channel. */
const closeSignal = 255;
const noChannel = -1;
/** Of one message in base64. */
const textBytesMax = 16 << 20;

/** How messages of a subprotocol look. */
export interface ChannelProtocol {
  name: string;
  encoding: "binary" | "base64";
  /** Whether the client can end one channel (v5). */
  hasCloseSignal: boolean;
}

export function channelProtocol(name: string): ChannelProtocol {
  return {
    name,
    encoding: name.includes("base64.") ? "base64" : "binary",
    hasCloseSignal: name.startsWith("v5."),
  };
}

/**
 * Numbered channels over one WebSocket (upstream's `wsstream`): a message is its channel's number and a piece of its data.
 * Each channel may be read, written, or both; what comes for a channel that nobody reads is dropped.
 */
export class ChannelConnection {
  readonly protocol: ChannelProtocol;
  readonly #readers = new Map<number, ChannelReader>();
  readonly #connection: WebSocketConnection;
  /** Of the message that is being received. */
  #channel = noChannel;
  #text: Buffer[] = [];
  #textBytes = 0;

  /** Nothing is received before `start`, so that all readers can be made. */
  constructor(options: Omit<WebSocketOptions, "onPiece">, protocol: ChannelProtocol) {
    this.protocol = protocol;
    const onPiece =
      protocol.encoding === "binary" ? this.#receiveBinary.bind(this) : this.#receiveBase64.bind(this);
    this.#connection = new WebSocketConnection({ ...options, onPiece }, protocol.name);
    this.#connection.closed.then(() => this.#end());
  }

  start(): void {
    this.#connection.start();
  }

  get closed(): Promise<void> {
    return this.#connection.closed;
  }

  reader(channel: number): Readable {
    const reader = new ChannelReader(this.#connection);
    this.#readers.set(channel, reader);
    return reader;
  }

  writer(channel: number): Writable {
    return new ChannelWriter((pieces, done) => this.#send(channel, pieces, done));
  }

  /** A message outside any stream. */
  send(channel: number, data: Buffer): Promise<void> {
    return new Promise((resolve) => this.#send(channel, [data], () => resolve()));
  }

  close(): void {
    this.#connection.close(1000);
  }

  destroy(): void {
    this.#connection.destroy();
  }

  #send(channel: number, pieces: readonly Buffer[], done: (error?: Error | null) => void): void {
    if (this.protocol.encoding === "binary") {
      this.#connection.sendBinary(Buffer.from([channel]), pieces, done);
    } else {
      this.#connection.sendText(`${channel}${Buffer.concat(pieces).toString("base64")}`, done);
    }
  }

  #receiveBinary(piece: Buffer, { isStart }: { isStart: boolean }): void {
    if (isStart) this.#channel = noChannel;
    if (piece.length === 0) return;
    let data = piece;
    if (this.#channel === noChannel) {
      this.#channel = piece[0]!;
      data = piece.subarray(1);
    }
    if (data.length === 0) return;
    const isClose = this.protocol.hasCloseSignal && this.#channel === closeSignal;
    if (isClose) this.#readers.get(data[0]!)?.finish();
    else this.#readers.get(this.#channel)?.give(data);
  }

  /** A message is decoded as a whole: its pieces do not end where base64's groups do. */
  #receiveBase64(piece: Buffer, { isEnd }: { isEnd: boolean }): void {
    this.#textBytes += piece.length;
    if (this.#textBytes > textBytesMax) {
      this.#connection.close(1009, "the message is too large");
      return;
    }
    this.#text.push(piece);
    if (!isEnd) return;
    const text = Buffer.concat(this.#text).toString("latin1");
    this.#text = [];
    this.#textBytes = 0;
    const data = Buffer.from(text.slice(1), "base64");
    if (data.length > 0) this.#readers.get(Number(text[0]))?.give(data);
  }

  #end(): void {
    for (const reader of this.#readers.values()) reader.destroy();
  }
}

class ChannelReader extends Readable {
  readonly #connection: WebSocketConnection;
  #isFinished = false;

  constructor(connection: WebSocketConnection) {
    super({ highWaterMark: readAheadBytes });
    this.#connection = connection;
    this.on("error", () => {});
  }

  give(data: Buffer): void {
    if (this.#isFinished || this.destroyed) return;
    if (!this.push(data)) this.#connection.hold(this);
  }

  finish(): void {
    if (this.#isFinished || this.destroyed) return;
    this.#isFinished = true;
    this.push(null);
  }

  override _read(): void {
    this.#connection.unhold(this);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#connection.unhold(this);
    done(error);
  }
}

type SendPieces = (pieces: readonly Buffer[], done: (error?: Error | null) => void) => void;

class ChannelWriter extends Writable {
  readonly #send: SendPieces;

  constructor(send: SendPieces) {
    super({ highWaterMark: writeAheadBytes });
    this.#send = send;
    this.on("error", () => {});
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send([piece], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const pieces = chunks.map(({ chunk }) => chunk);
    this.#send(pieces, done);
  }
}
