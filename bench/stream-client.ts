import { randomBytes } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { SpdySession } from "../src/streaming/spdy/index.ts";
import type { ApiClient } from "./api-client.ts";

const opcodeBinary = 0x82;
const readBytes = 256 * 1024;
/** As kubectl's WebSocket executor writes it. */
const frameBytes = 32 * 1024;

/** An upgraded connection, or a plain answer's body, whose bytes are counted and not looked at. */
export class CountedStream {
  readonly #socket: TLSSocket;
  #bytes = 0;
  #last: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  /** Resolves with the head of the answer past. */
  static open(
    client: ApiClient,
    method: string,
    path: string,
    headers: readonly string[],
  ): Promise<CountedStream> {
    return new Promise((resolve, reject) => {
      const buffer = Buffer.allocUnsafe(readBytes);
      let head = "";
      let stream: CountedStream | undefined;
      const socket = connect({
        host: client.url.hostname,
        port: Number(client.url.port),
        ...client.tls,
        ALPNProtocols: ["http/1.1"],
        onread: {
          buffer,
          callback: (bytesRead: number) => {
            if (stream) stream.#count(buffer.subarray(0, bytesRead));
            else {
              head += buffer.toString("latin1", 0, bytesRead);
              const end = head.indexOf("\r\n\r\n");
              if (end < 0) return true;
              if (!/^HTTP\/1.1 (101|200)/.test(head)) reject(new Error(`${path}: ${head}`));
              stream = new CountedStream(socket);
              stream.#count(Buffer.from(head.slice(end + 4), "latin1"));
              resolve(stream);
            }
            return true;
          },
        },
      } as Parameters<typeof connect>[0] & object);
      socket.once("error", reject);
      const lines = [`${method} ${path} HTTP/1.1`, `Host: ${client.url.host}`, ...headers];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    });
  }

  static webSocket(client: ApiClient, path: string, protocol: string): Promise<CountedStream> {
    return CountedStream.open(client, "GET", path, [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      `Sec-WebSocket-Protocol: ${protocol}`,
    ]);
  }

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("close", () => this.#wake?.());
  }

  #count(data: Buffer): void {
    this.#bytes += data.length;
    this.#last = Buffer.from(data.subarray(-512));
    this.#wake?.();
  }

  /** Once so many bytes have come. */
  async received(bytes: number): Promise<void> {
    while (this.#bytes < bytes) {
      if (this.#socket.destroyed)
        throw new Error(`ended after ${this.#bytes} bytes: ${this.#last.toString()}`);
      await this.#next();
    }
  }

  /** Once the last that came says so. */
  async said(what: RegExp): Promise<void> {
    while (!what.test(this.#last.toString("latin1"))) {
      if (this.#socket.destroyed) throw new Error("the connection ended");
      await this.#next();
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Zeroes on a channel: one frame made once, and sent over and over. */
  async sendZeroes(channel: number, bytes: number): Promise<void> {
    const frame = maskedFrame(Buffer.concat([Buffer.from([channel]), Buffer.alloc(frameBytes)]));
    for (let sent = 0; sent < bytes; sent += frameBytes) {
      if (!this.#socket.write(frame)) await new Promise((resolve) => this.#socket.once("drain", resolve));
    }
  }

  send(message: Buffer): void {
    this.#socket.write(maskedFrame(message));
  }

  close(): void {
    this.#socket.destroy();
  }
}

function maskedFrame(payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const head =
    payload.length < 126
      ? Buffer.from([opcodeBinary, 0x80 | payload.length])
      : Buffer.from([opcodeBinary, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]);
}

/** A session of SPDY/3.1, as older clients open it. */
export function openSpdy(client: ApiClient, path: string, protocol: string): Promise<SpdySession> {
  return new Promise((resolve, reject) => {
    const { url, tls } = client;
    const options = { host: url.hostname, port: Number(url.port), ...tls, ALPNProtocols: ["http/1.1"] };
    const socket = connect(options);
    socket.once("error", reject);
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n` +
        `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
    );
    let head = Buffer.alloc(0);
    const onData = (piece: Buffer) => {
      head = Buffer.concat([head, piece]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      socket.pause();
      if (!head.toString("latin1").startsWith("HTTP/1.1 101")) return reject(new Error(head.toString()));
      if (head.length > end + 4) socket.unshift(head.subarray(end + 4));
      resolve(new SpdySession(socket));
      socket.resume();
    };
    socket.on("data", onData);
  });
}
