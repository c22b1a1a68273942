import type { KubeObject } from "../../machinery/index.ts";
import type { Entry, Revision } from "../../store/index.ts";
import type { ListPage } from "../context.ts";
import type { Change } from "../verbs/watch.ts";

/**
 * How objects look in an answer: JSON, a table, metadata only, protobuf. What is made of a revision is made at most once
 * while it is hot, and shared by all that ask for it.
 */
export interface Form {
  /** `Content-Type` of an object or a list, and of a watch. */
  mediaType: string;
  watchMediaType: string;
  /** A stored object. */
  entry(entry: Entry): Buffer;
  /** An object made for one answer. */
  object(object: KubeObject): Buffer;
  /** Yields to the event loop while it prepares what it must know of all objects before the first. */
  list(page: ListPage): ListBody | Promise<ListBody>;
  /** For watches of one kind; one a watch, as a table shows its columns only once. */
  frames(): Frames;
}

export interface ListBody {
  /** Of the whole, where it is known without making it. */
  bytes?: number;
  head: Buffer;
  tail: Buffer;
  item(index: number, writer: ItemWriter): void;
}

/** Takes the pieces of a body in order. */
export interface ItemWriter {
  write(bytes: Uint8Array): void;
}

export interface Frames {
  change(change: Change): Frame;
  bookmark(revision: Revision, means: "progress" | "initial-events-end"): Frame;
  error(status: KubeObject): Frame;
}

/**
 * One event as it goes out: the bytes of an HTTP/1.1 chunk, of which the event is a part. So that a thousand watchers,
 * some of them of HTTP/2, share one piece of memory and nobody copies or frames anything again.
 */
export type Frame = Buffer;

const chunkHeadBytes = 10;
const chunkTailBytes = 2;

/** Eight hexadecimal digits (leading zeros are allowed), CRLF, the event, CRLF. */
export function frameOf(pieces: readonly (Buffer | string)[]): Frame {
  let bytes = 0;
  for (const piece of pieces) bytes += typeof piece === "string" ? Buffer.byteLength(piece) : piece.length;
  const frame = Buffer.allocUnsafeSlow(chunkHeadBytes + bytes + chunkTailBytes);
  let at = frame.write(`${bytes.toString(16).padStart(8, "0")}\r\n`, "latin1");
  for (const piece of pieces)
    at += typeof piece === "string" ? frame.write(piece, at) : piece.copy(frame, at);
  frame.write("\r\n", at, "latin1");
  return frame;
}

/** A frame that is filled bit by bit. */
export class FrameBuffer {
  readonly #frame: Buffer;
  readonly #end: number;
  #at = chunkHeadBytes;

  constructor(payloadBytesMax: number) {
    this.#frame = Buffer.allocUnsafeSlow(chunkHeadBytes + payloadBytesMax + chunkTailBytes);
    this.#end = chunkHeadBytes + payloadBytesMax;
  }

  get length(): number {
    return this.#at - chunkHeadBytes;
  }

  /** Takes what fits of `bytes` after `from`; returns how far that is. */
  write(bytes: Uint8Array, from: number): number {
    const until = Math.min(bytes.length, from + this.#end - this.#at);
    this.#frame.set(from === 0 && until === bytes.length ? bytes : bytes.subarray(from, until), this.#at);
    this.#at += until - from;
    return until;
  }

  finish(): Frame {
    this.#frame.write(`${this.length.toString(16).padStart(8, "0")}\r\n`, 0, "latin1");
    this.#frame.write("\r\n", this.#at, "latin1");
    return this.#frame.subarray(0, this.#at + chunkTailBytes);
  }
}

/** The event alone. */
export const payloadOf = (frame: Frame) => frame.subarray(chunkHeadBytes, frame.length - chunkTailBytes);
