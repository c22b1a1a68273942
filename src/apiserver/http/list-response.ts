import { once } from "node:events";
import { createGzip } from "node:zlib";
import { type Clock, Turn } from "../../base/index.ts";
import type { ListPage } from "../context.ts";
import {
  type Form,
  type Frame,
  FrameBuffer,
  type ItemWriter,
  type ListBody,
  payloadOf,
} from "../forms/form.ts";
import { answerStallMsMax, gzipBytesMin, writeChunkBytes } from "../limits.ts";
import type { AnswerStream, Exchange } from "./exchange.ts";

/** Fast rather than small: a list is read once, mostly by a neighbour. As apiserver's `defaultGzipContentEncodingLevel`. */
const gzipLevel = 1;

/** What may wait for the client: more would only be memory. */
const pendingBytesMax = 2 * writeChunkBytes;

/** Writes a list, in pieces as the client takes them when it is long, so that no list is ever whole in memory twice. */
export async function sendList(
  exchange: Exchange,
  headers: readonly string[],
  form: Form,
  page: ListPage,
  clock: Clock,
): Promise<void> {
  const body = await form.list(page);
  const count = page.entries.length;
  const isShort = body.bytes === undefined ? count <= 16 : body.bytes <= writeChunkBytes;
  if (isShort) {
    const pieces: Uint8Array[] = [body.head];
    const gather: ItemWriter = { write: (bytes) => pieces.push(bytes) };
    for (let i = 0; i < count; i++) body.item(i, gather);
    pieces.push(body.tail);
    const whole = Buffer.concat(pieces);
    if (whole.length < gzipBytesMin || !acceptsGzip(exchange)) {
      return exchange.send(200, [...headers, "content-type", form.mediaType], whole);
    }
  }
  await streamList(exchange, [...headers, "content-type", form.mediaType], body, count, clock);
}

async function streamList(
  exchange: Exchange,
  headers: readonly string[],
  body: ListBody,
  count: number,
  clock: Clock,
): Promise<void> {
  const gone = new AbortController();
  exchange.onClose(() => gone.abort());
  const gzip = acceptsGzip(exchange) && (body.bytes ?? gzipBytesMin) >= gzipBytesMin;
  const extra = gzip
    ? ["content-encoding", "gzip", "vary", "Accept-Encoding"]
    : body.bytes === undefined
      ? []
      : ["content-length", String(body.bytes)];
  const answer = exchange.stream(200, [...headers, ...extra]);
  const sink = gzip ? gzipSink(answer, gone.signal) : plainSink(answer, gone.signal, clock);
  try {
    await writePieces(sink, body, count, clock, gone.signal);
    sink.end();
  } catch (error) {
    // A client that went away, or takes nothing: an answer that has begun cannot become a failure.
    exchange.destroy();
    if (!gone.signal.aborted && error !== stalled) throw error;
  }
}

/** Where chunks go, one after the other. */
interface ChunkSink {
  write(chunk: Frame): Promise<void> | undefined;
  end(): void;
}

const stalled = new Error("the client took nothing of the answer");

function plainSink(answer: AnswerStream, signal: AbortSignal, clock: Clock): ChunkSink {
  return {
    write: (chunk) => {
      answer.writeFrames([chunk]);
      return answer.pendingBytes > pendingBytesMax ? drained(answer, signal, clock) : undefined;
    },
    end: () => answer.end(),
  };
}

function drained(answer: AnswerStream, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(answerStallMsMax, () => settle(() => reject(stalled)));
    const onGone = () => settle(() => reject(signal.reason));
    const settle = (done: () => void) => {
      timer.cancel();
      signal.removeEventListener("abort", onGone);
      done();
    };
    signal.addEventListener("abort", onGone, { once: true });
    answer.onDrain(() => settle(resolve));
  });
}

/** zlib works in the thread pool. */
function gzipSink(answer: AnswerStream, signal: AbortSignal): ChunkSink {
  const gzip = createGzip({ level: gzipLevel, chunkSize: writeChunkBytes });
  gzip.pipe(answer.body);
  signal.addEventListener("abort", () => gzip.destroy());
  return {
    write: (chunk) => {
      const isFull = !gzip.write(payloadOf(chunk)) && gzip.writableLength > pendingBytesMax;
      return isFull ? once(gzip, "drain", { signal }).then(() => {}) : undefined;
    },
    end: () => gzip.end(),
  };
}

/** Writes in chunks of {@link writeChunkBytes}, waits for the client where it is slower, and yields where it is not. */
async function writePieces(
  sink: ChunkSink,
  body: ListBody,
  count: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const chunks = new ChunkWriter();
  const turn = new Turn(clock);
  chunks.write(body.head);
  for (let i = 0; i < count; i++) {
    body.item(i, chunks);
    if (chunks.full.length > 0) await flush(sink, chunks, signal);
    if (turn.isOver) await turn.yield();
    if (signal.aborted) return;
  }
  chunks.write(body.tail);
  chunks.finish();
  await flush(sink, chunks, signal);
}

async function flush(sink: ChunkSink, chunks: ChunkWriter, signal: AbortSignal): Promise<void> {
  for (const chunk of chunks.take()) {
    if (signal.aborted) return;
    await sink.write(chunk);
  }
}

/** Gathers pieces into chunks, framed for HTTP/1.1: one write of 256 KiB costs what one of 1 KiB does. */
class ChunkWriter implements ItemWriter {
  full: Frame[] = [];
  #chunk = new FrameBuffer(writeChunkBytes);

  write(bytes: Uint8Array): void {
    let from = this.#chunk.write(bytes, 0);
    while (from < bytes.length) {
      this.full.push(this.#chunk.finish());
      this.#chunk = new FrameBuffer(writeChunkBytes);
      from = this.#chunk.write(bytes, from);
    }
  }

  finish(): void {
    if (this.#chunk.length > 0) this.full.push(this.#chunk.finish());
  }

  take(): Frame[] {
    const taken = this.full;
    this.full = [];
    return taken;
  }
}

export const acceptsGzip = (exchange: Exchange): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0+)?\b)/.test(exchange.header("accept-encoding") ?? "");
