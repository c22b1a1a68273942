import { once } from "node:events";
import type { Writable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import type { Clock } from "../../base/index.ts";
import type { ListPage } from "../context.ts";
import type { Form, ItemWriter, ListBody } from "../forms/form.ts";
import { gzipBytesMin, writeChunkBytes } from "../limits.ts";
import { Turn } from "../registry/turn.ts";
import type { Exchange } from "./exchange.ts";

/** Fast rather than small: a list is read once, mostly by a neighbour. As apiserver's `defaultGzipContentEncodingLevel`. */
const gzipLevel = 1;

/** Writes a list, in pieces as the client takes them when it is long, so that no list is ever whole in memory twice. */
export async function sendList(
  exchange: Exchange,
  headers: readonly string[],
  form: Form,
  page: ListPage,
  clock: Clock,
): Promise<void> {
  const body = form.list(page);
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
  const gzip = acceptsGzip(exchange) && (body.bytes ?? gzipBytesMin) >= gzipBytesMin;
  const extra = gzip
    ? ["content-encoding", "gzip", "vary", "Accept-Encoding"]
    : body.bytes === undefined
      ? []
      : ["content-length", String(body.bytes)];
  const answer = exchange.stream(200, [...headers, ...extra]);
  const gone = new AbortController();
  exchange.onClose(() => gone.abort());
  let out: Writable = answer.body;
  if (gzip) {
    // zlib works in the thread pool.
    out = createGzip({
      level: gzipLevel,
      chunkSize: writeChunkBytes,
      strategy: constants.Z_DEFAULT_STRATEGY,
    });
    out.pipe(answer.body);
    gone.signal.addEventListener("abort", () => out.destroy());
  }
  try {
    await writePieces(out, body, count, clock, gone.signal);
    out.end();
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  }
}

/** Writes in chunks of {@link writeChunkBytes}, waits for the client where it is slower, and yields where it is not. */
async function writePieces(
  out: Writable,
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
    if (chunks.full.length > 0) await flush(out, chunks, signal);
    if (turn.isOver) await turn.yield();
    if (signal.aborted) return;
  }
  chunks.write(body.tail);
  chunks.finish();
  await flush(out, chunks, signal);
}

async function flush(out: Writable, chunks: ChunkWriter, signal: AbortSignal): Promise<void> {
  for (const chunk of chunks.take()) {
    if (signal.aborted || out.destroyed) return;
    if (!out.write(chunk) && out.writableLength > writeChunkBytes) await once(out, "drain", { signal });
  }
}

/** Gathers pieces into chunks: one write of 256 KiB costs what one of 1 KiB does. */
class ChunkWriter implements ItemWriter {
  full: Buffer[] = [];
  #chunk = Buffer.allocUnsafeSlow(writeChunkBytes);
  #at = 0;

  write(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      const room = writeChunkBytes - this.#at;
      const part = from === 0 && bytes.length <= room ? bytes : bytes.subarray(from, from + room);
      this.#chunk.set(part, this.#at);
      this.#at += part.length;
      from += part.length;
      if (this.#at === writeChunkBytes) {
        this.full.push(this.#chunk);
        this.#chunk = Buffer.allocUnsafeSlow(writeChunkBytes);
        this.#at = 0;
      }
    }
  }

  finish(): void {
    if (this.#at > 0) this.full.push(this.#chunk.subarray(0, this.#at));
    this.#at = 0;
  }

  take(): Buffer[] {
    const taken = this.full;
    this.full = [];
    return taken;
  }
}

export const acceptsGzip = (exchange: Exchange): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0+)?\b)/.test(exchange.header("accept-encoding") ?? "");
