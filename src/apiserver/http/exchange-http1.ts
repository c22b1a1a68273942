import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../base/index.ts";
import { payloadOf } from "../forms/form.ts";
import { type BodyBudget, readAll } from "./body-reader.ts";
import type { AnswerStream, Exchange } from "./exchange.ts";

/** A request over HTTP/1.1. */
export class Http1Exchange implements Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #body: { clock: Clock; budget: BodyBudget };

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    body: { clock: Clock; budget: BodyBudget },
  ) {
    this.#request = request;
    this.#response = response;
    this.#body = body;
  }

  get method(): string {
    return this.#request.method!;
  }
  get url(): string {
    return this.#request.url!;
  }
  get socket(): TLSSocket {
    return this.#request.socket as TLSSocket;
  }
  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === "object" ? value.join(",") : value;
  }

  get headers(): IncomingMessage["headers"] {
    return this.#request.headers;
  }
  get requestBody(): IncomingMessage {
    return this.#request;
  }

  readBody(bytesMax: number): Promise<Buffer> {
    // Most bodies come with their headers: then there is nothing to wait for.
    const { complete, readableLength, readableFlowing } = this.#request;
    if (complete && readableFlowing === null && readableLength > 0 && readableLength <= bytesMax) {
      return Promise.resolve(this.#request.read() as Buffer);
    }
    return readAll(this.#request, this.#body, {
      declared: this.#request.headers["content-length"],
      bytesMax,
    });
  }

  send(code: number, headers: readonly string[], body: Buffer): void {
    const response = this.#response;
    // A body that nobody will read must not be taken for the next request.
    const unread = !this.#request.complete && !this.#request.readableEnded;
    const rest = unread ? ["connection", "close"] : [];
    response.writeHead(code, [...headers, "content-length", String(body.length), ...rest]);
    response.end(body);
    if (unread) this.#request.resume();
  }

  stream(code: number, headers: readonly string[]): AnswerStream {
    const response = this.#response;
    const isChunked = this.#request.httpVersionMinor > 0 && !headers.includes("content-length");
    response.writeHead(code, isChunked ? [...headers, "transfer-encoding", "chunked"] : [...headers]);
    response.flushHeaders();
    return new Http1Stream(response, isChunked);
  }

  onClose(closed: () => void): void {
    if (this.#response.closed || this.#response.destroyed) closed();
    else this.#response.once("close", closed);
  }

  destroy(): void {
    this.#request.socket.destroy();
  }
}

class Http1Stream implements AnswerStream {
  readonly body: ServerResponse;
  readonly #isChunked: boolean;

  constructor(response: ServerResponse, isChunked: boolean) {
    this.body = response;
    this.#isChunked = isChunked;
  }

  writeFrames(frames: readonly Buffer[]): void {
    const { body } = this;
    const { socket } = body;
    // Behind an answer that is still being sent (pipelining) the response waits without a socket.
    if (!socket) {
      for (const frame of frames) body.write(payloadOf(frame));
      return;
    }
    // A frame is a chunk already: past the response, which would frame, hold and copy each of them once more.
    if (frames.length > 1) socket.cork();
    for (const frame of frames) socket.write(this.#isChunked ? frame : payloadOf(frame));
    if (frames.length > 1) socket.uncork();
  }

  get pendingBytes(): number {
    return (this.body.socket?.writableLength ?? 0) + this.body.writableLength;
  }

  onDrain(drained: () => void): void {
    (this.body.socket ?? this.body).once("drain", drained);
  }

  end(): void {
    this.body.end();
  }
}
