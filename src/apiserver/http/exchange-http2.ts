import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../base/index.ts";
import { payloadOf } from "../forms/form.ts";
import { type BodyBudget, readAll } from "./body-reader.ts";
import type { AnswerStream, Exchange } from "./exchange.ts";

/** A request over HTTP/2: one stream of a connection. */
export class Http2Exchange implements Exchange {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #body: { clock: Clock; budget: BodyBudget };
  readonly socket: TLSSocket;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    socket: TLSSocket,
    body: { clock: Clock; budget: BodyBudget },
  ) {
    this.#stream = stream;
    this.#headers = headers;
    this.socket = socket;
    this.#body = body;
  }

  get method(): string {
    return this.#headers[":method"] as unknown as string;
  }
  get url(): string {
    return this.#headers[":path"] as unknown as string;
  }
  get hasBegun(): boolean {
    return this.#stream.headersSent;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === "object" ? value.join(",") : value;
  }

  get headers(): IncomingHttpHeaders {
    return this.#headers;
  }
  get requestBody(): ServerHttp2Stream {
    return this.#stream;
  }

  readBody(bytesMax: number): Promise<Buffer> {
    return readAll(this.#stream, this.#body, { declared: this.#headers["content-length"], bytesMax });
  }

  send(code: number, headers: readonly string[], body: Buffer): void {
    if (this.#stream.destroyed) return;
    const hasBody = this.method !== "HEAD" && body.length > 0;
    this.#stream.respond(
      headersOf(code, [...headers, "content-length", String(body.length)]),
      hasBody ? {} : { endStream: true },
    );
    if (hasBody) this.#stream.end(body);
    // What of the request's body nobody has read is not worth sending.
    if (!this.#stream.readableEnded) this.#stream.resume();
  }

  stream(code: number, headers: readonly string[]): AnswerStream {
    if (!this.#stream.destroyed) this.#stream.respond(headersOf(code, headers));
    return new Http2Answer(this.#stream);
  }

  onClose(closed: () => void): void {
    if (this.#stream.destroyed) closed();
    else this.#stream.once("close", closed);
  }

  destroy(): void {
    this.#stream.destroy();
  }
}

function headersOf(code: number, list: readonly string[]): Record<string, string | string[] | number> {
  const headers: Record<string, string | string[] | number> = { ":status": code };
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!.toLowerCase();
    const before = headers[name];
    headers[name] =
      before === undefined
        ? list[i + 1]!
        : [...(Array.isArray(before) ? before : [String(before)]), list[i + 1]!];
  }
  return headers;
}

class Http2Answer implements AnswerStream {
  readonly body: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.body = stream;
  }

  writeFrames(frames: readonly Buffer[]): void {
    if (this.body.destroyed) return;
    const bytes = frames.length === 1 ? payloadOf(frames[0]!) : Buffer.concat(frames.map(payloadOf));
    this.body.write(bytes);
  }

  get pendingBytes(): number {
    return this.body.writableLength;
  }

  onDrain(drained: () => void): void {
    this.body.once("drain", drained);
  }

  end(): void {
    if (!this.body.destroyed) this.body.end();
  }
}
