import type { Readable, Writable } from "node:stream";
import type { TLSSocket } from "node:tls";

/**
 * One request and its answer, the same over HTTP/1.1 and HTTP/2.
 *
 * - Header names are lower case; headers of an answer are a flat list of names and values.
 * - An answer is begun once: with `send`, or with `stream`.
 */
export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly socket: TLSSocket;
  header(name: string): string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it comes; for whoever does not read it as a whole. */
  readonly requestBody: Readable;
  /** Throws a 413 past `bytesMax`, a 400 when the client goes away or takes too long. */
  readBody(bytesMax: number): Promise<Buffer>;
  send(code: number, headers: readonly string[], body: Buffer): void;
  stream(code: number, headers: readonly string[]): AnswerStream;
  /** Whether an answer has begun. */
  readonly hasBegun: boolean;
  /** The client is gone, or the answer is sent; called once, at once if it is so already. */
  onClose(closed: () => void): void;
  /** Cuts the connection (HTTP/1.1) or the stream: for answers that cannot be completed. */
  destroy(): void;
}

/** A body that is written in pieces. */
export interface AnswerStream {
  /** For bodies: takes part in flow control, and frames what HTTP/1.1 wants framed. */
  readonly body: Writable;
  /** For a watch: an event's frame, as it stands in `forms/form.ts`. */
  writeFrames(frames: readonly Buffer[]): void;
  /** Bytes given that the connection has not taken. */
  readonly pendingBytes: number;
  /** Calls back when the connection can take more. */
  onDrain(drained: () => void): void;
  end(): void;
}
