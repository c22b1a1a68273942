import { Duplex } from "node:stream";
import { WebSocketConnection, type WebSocketOptions } from "./connection.ts";

const nothing = Buffer.alloc(0);

/** The bytes of another protocol in binary messages, whose borders mean nothing. */
export async function openTunnel(
  options: Omit<WebSocketOptions, "onMessage">,
  protocol: string,
): Promise<Duplex> {
  let tunnel: Tunnel | undefined;
  const onMessage = (message: Buffer) => tunnel?.give(message);
  const connection = await WebSocketConnection.open({ ...options, onMessage }, protocol);
  tunnel = new Tunnel(connection);
  connection.start();
  return tunnel;
}

class Tunnel extends Duplex {
  readonly #connection: WebSocketConnection;

  constructor(connection: WebSocketConnection) {
    super();
    this.#connection = connection;
    connection.closed.then(() => this.destroy());
  }

  give(message: Buffer): void {
    if (!this.destroyed && !this.push(message)) this.#connection.hold(this);
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
