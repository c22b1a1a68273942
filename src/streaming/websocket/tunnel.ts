import { Duplex } from "node:stream";
import { WebSocketConnection, type WebSocketOptions } from "./connection.ts";

const nothing = Buffer.alloc(0);

/** The bytes of another protocol in binary messages, whose borders mean nothing. */
export class Tunnel extends Duplex {
  readonly #connection: WebSocketConnection;

  constructor(options: Omit<WebSocketOptions, "onPiece">, protocol: string) {
    super();
    this.#connection = new WebSocketConnection(
      { ...options, onPiece: (piece) => this.#give(piece) },
      protocol,
    );
    this.#connection.closed.then(() => this.destroy());
    this.#connection.start();
  }

  #give(piece: Buffer): void {
    if (piece.length > 0 && !this.destroyed && !this.push(piece)) this.#connection.hold(this);
  }

  override _read(): void {
    this.#connection.unhold(this);
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.sendBinary(nothing, [piece], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const pieces = chunks.map(({ chunk }) => chunk);
    this.#connection.sendBinary(nothing, pieces, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.#connection.isOpen) this.#connection.destroy();
    done(error);
  }
}
