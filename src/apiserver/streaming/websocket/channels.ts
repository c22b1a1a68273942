import { Readable, Writable } from "node:stream";
import { WebSocketConnection, type WebSocketOptions } from "./connection.ts";

/** Read ahead for a consumer that is slower than its client; past it the whole connection waits. */
const readAheadBytes = 256 * 1024;
const writeAheadBytes = 128 * 1024;
/** v5's message that a channel has ended: this, then the channel. */
const closeSignal = 255;

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
  #connection!: WebSocketConnection;

  private constructor(protocol: ChannelProtocol) {
    this.protocol = protocol;
  }

  static async open(
    options: Omit<WebSocketOptions, "onMessage">,
    protocol: ChannelProtocol,
  ): Promise<ChannelConnection> {
    const channels = new ChannelConnection(protocol);
    const onMessage = (message: Buffer) => channels.#receive(message);
    channels.#connection = await WebSocketConnection.open({ ...options, onMessage }, protocol.name);
    channels.#connection.closed.then(() => channels.#end());
    return channels;
  }

  /** To be called once all readers are made: nothing comes before. */
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

  #receive(message: Buffer): void {
    if (message.length === 0) return;
    const { encoding, hasCloseSignal } = this.protocol;
    const first = message[0]!;
    if (hasCloseSignal && first === closeSignal) {
      this.#readers.get(message[1] ?? -1)?.finish();
      return;
    }
    const channel = encoding === "binary" ? first : first - 0x30;
    const rest = message.subarray(1);
    const data = encoding === "binary" ? rest : Buffer.from(rest.toString("latin1"), "base64");
    if (data.length > 0) this.#readers.get(channel)?.give(data);
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
