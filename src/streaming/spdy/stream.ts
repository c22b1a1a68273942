import { Duplex } from "node:stream";
import type { SpdyHeaders } from "./header-block.ts";

/** Read ahead for a consumer that is slower than its client; past it the whole connection waits. */
const readAheadBytes = 256 * 1024;
/** Gathered from a producer while the socket is busy: the larger a write, the less it costs a byte. */
const writeAheadBytes = 512 * 1024;

/** What a stream asks of its session. */
export interface StreamHost {
  sendData(
    streamId: number,
    pieces: readonly Buffer[],
    flags: number,
    done: (error?: Error | null) => void,
  ): void;
  sendReset(streamId: number): void;
  /** The stream's consumer wants more. */
  readable(stream: SpdyStream): void;
  gone(stream: SpdyStream): void;
}

/** One stream of a session, which the client opened. Ending it and its reaching the end are each direction's own. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #host: StreamHost;
  #isResetByPeer = false;
  #isReadingEnded = false;

  constructor(host: StreamHost, id: number, headers: SpdyHeaders) {
    super({ readableHighWaterMark: readAheadBytes, writableHighWaterMark: writeAheadBytes });
    this.#host = host;
    this.id = id;
    this.headers = headers;
    // Who uses the stream learns of its end by `close`; an error that nobody listens for must not end the process.
    this.on("error", () => {});
  }

  /** From the session: the client gave the stream up. */
  resetByPeer(): void {
    this.#isResetByPeer = true;
    this.destroy();
  }

  /** From the session: nothing more comes and nothing is taken, but what came is there to be read. */
  endByPeer(): void {
    this.#isResetByPeer = true;
    if (this.readableEnded || this.destroyed) {
      this.destroy();
      return;
    }
    this.once("end", () => this.destroy());
    this.endReading();
  }

  /** From the session: the peer sends no more. */
  endReading(): void {
    if (this.#isReadingEnded) return;
    this.#isReadingEnded = true;
    this.push(null);
  }

  /** Gives the stream up, and tells the client so. */
  reset(): void {
    this.destroy();
  }

  override _read(): void {
    this.#host.readable(this);
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#host.sendData(this.id, [piece], 0, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const pieces = chunks.map(({ chunk }) => chunk);
    this.#host.sendData(this.id, pieces, 0, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#host.sendData(this.id, [], 1, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const isWhole = this.writableFinished && this.readableEnded;
    if (!isWhole && !this.#isResetByPeer) this.#host.sendReset(this.id);
    this.#host.gone(this);
    done(error);
  }
}
