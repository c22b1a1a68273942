import { watch } from "node:fs";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock, Timer } from "../../base/index.ts";
import type { PodLogOptions } from "../../client/index.ts";
import { type LogLine, parseLogLine, timeOf } from "./log-line.ts";
import { tailStart } from "./tail-start.ts";

const blockBytes = 256 * 1_024;
/** How often a log is looked at where the kernel cannot tell of its changes. */
const lookEveryMs = 200;
const newline = 0x0a;
const newlineBuffer = Buffer.from("\n");
/** A line without end is given up on past this; the engine writes parts of at most 16 KiB. */
const lineBytesMax = 1_024 * 1_024;

export interface LogSource {
  /** Of the newest file. */
  path: string;
  /** Resolves once the container has ended and nothing more will be written. */
  ended: Promise<void>;
  /** For following where the kernel cannot tell of changes. */
  clock?: Clock;
}

export interface ReadLogOptions {
  follow: boolean;
  timestamps: boolean;
  sinceMs?: number;
  tailLines?: number;
  limitBytes?: number;
  stream: "All" | "Stdout" | "Stderr";
}

/** From `PodLogOptions`; `sinceSeconds` is counted back from `nowMs`. */
export function readLogOptions(options: PodLogOptions, nowMs: number): ReadLogOptions {
  const sinceMs = options.sinceTime
    ? Date.parse(options.sinceTime)
    : options.sinceSeconds !== undefined
      ? nowMs - options.sinceSeconds * 1_000
      : undefined;
  return {
    follow: options.follow === true,
    timestamps: options.timestamps === true,
    sinceMs,
    tailLines: options.tailLines,
    limitBytes: options.limitBytes,
    stream: options.stream ?? "All",
  };
}

/**
 * A container's log as its users want it, over rotated files; following ends with the container. Blocks are passed on as
 * they are read, and no faster than they are taken.
 */
export async function* readLog(
  source: LogSource,
  options: ReadLogOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const formatter = new Formatter(options);
  const follower = options.follow ? new Follower(source, signal) : undefined;
  try {
    for await (const block of rawBlocks(source.path, options, follower, signal)) {
      const out = formatter.take(block);
      if (out.length > 0) yield out;
      if (formatter.isFull) return;
    }
  } finally {
    follower?.close();
  }
}

/** Files with their starts, oldest first: rotated ones are `PATH.TIME`. */
async function filesFrom(path: string, options: ReadLogOptions): Promise<{ path: string; offset: number }[]> {
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  const rotated = names
    .filter(
      (name) => name.startsWith(`${basename(path)}.`) && !name.endsWith(".gz") && !name.endsWith(".tmp"),
    )
    .sort()
    .map((name) => join(dirname(path), name));
  const all = [...rotated, path];
  if (options.tailLines === undefined) return all.map((each) => ({ path: each, offset: 0 }));
  const chosen: { path: string; offset: number }[] = [];
  let missing = options.tailLines;
  for (const each of all.reverse()) {
    const file = await open(each).catch(() => undefined);
    if (!file) continue;
    try {
      const found = await tailStart(file, (await file.stat()).size, missing, (stream) =>
        accepts(options, stream),
      );
      chosen.unshift({ path: each, offset: found.offset });
      missing = found.missing;
    } finally {
      await file.close();
    }
    if (missing === 0) break;
  }
  return chosen;
}

async function* rawBlocks(
  path: string,
  options: ReadLogOptions,
  follower: Follower | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const files = await filesFrom(path, options);
  for (const { path: each, offset } of files.filter((file) => file.path !== path)) {
    const file = await open(each).catch(() => undefined);
    if (file) yield* toEnd(file, offset, signal);
  }
  let start = files.find((file) => file.path === path)?.offset ?? 0;
  for (;;) {
    const next = follower?.change();
    const file = await open(path).catch(() => undefined);
    if (!file) {
      if (!follower || follower.hasEnded || signal.aborted) return;
      await next;
      continue;
    }
    const wasRotated = yield* current(file, start, path, follower, signal);
    if (!wasRotated) return;
    start = 0;
  }
}

async function* toEnd(file: FileHandle, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for (let at = offset; !signal.aborted; ) {
      const buffer = Buffer.allocUnsafe(blockBytes);
      const { bytesRead } = await file.read(buffer, 0, blockBytes, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** The newest file, to its end or (following) to the container's. Returns whether another file has taken its place. */
async function* current(
  file: FileHandle,
  offset: number,
  path: string,
  follower: Follower | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer, boolean> {
  try {
    let at = offset;
    const { ino } = await file.stat();
    while (!signal.aborted) {
      const hadEnded = follower?.hasEnded ?? true;
      const next = follower?.change();
      const buffer = Buffer.allocUnsafe(blockBytes);
      const { bytesRead } = await file.read(buffer, 0, blockBytes, at);
      if (bytesRead > 0) {
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
        continue;
      }
      if (!follower) return false;
      const now = await stat(path).catch(() => undefined);
      if (now && now.ino !== ino) return true;
      if (hadEnded) return false;
      await next;
    }
    return false;
  } finally {
    await file.close();
  }
}

/** Wakes when something was written to the log's folder, or the container has ended. */
class Follower {
  hasEnded = false;
  #waiting: (() => void)[] = [];
  #watcher: ReturnType<typeof watch> | undefined;
  readonly #clock: Clock | undefined;
  #look: Timer | undefined;
  #isClosed = false;

  constructor({ path, ended, clock }: LogSource, signal: AbortSignal) {
    this.#clock = clock;
    try {
      this.#watcher = watch(dirname(path), () => this.#wake());
      this.#watcher.on("error", () => this.#lookNowAndThen());
    } catch {
      // The host's inotify instances or watches are used up.
      this.#lookNowAndThen();
    }
    void ended.then(() => {
      this.hasEnded = true;
      this.#wake();
    });
    signal.addEventListener("abort", () => this.#wake(), { once: true });
  }

  /** Resolves at the next change after this call. */
  change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    this.#isClosed = true;
    this.#watcher?.close();
    this.#look?.cancel();
    this.#wake();
  }

  #lookNowAndThen(): void {
    if (this.#isClosed) return;
    this.#wake();
    this.#look = this.#clock?.after(lookEveryMs, () => this.#lookNowAndThen());
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const accepts = ({ stream }: ReadLogOptions, of: "stdout" | "stderr") =>
  stream === "All" || (stream === "Stdout" ? of === "stdout" : of === "stderr");

/** From raw blocks to what the user sees. */
class Formatter {
  readonly #options: ReadLogOptions;
  #rest: Buffer = Buffer.alloc(0);
  #leftBytes: number;
  #inLine = false;
  /** Lines come in order of time: once one is late enough, all are. */
  #isSince: boolean;

  constructor(options: ReadLogOptions) {
    this.#options = options;
    this.#leftBytes = options.limitBytes ?? Number.POSITIVE_INFINITY;
    this.#isSince = options.sinceMs === undefined;
  }

  get isFull(): boolean {
    return this.#leftBytes <= 0;
  }

  take(block: Buffer): Buffer {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, block]) : block;
    const parts: Buffer[] = [];
    let from = 0;
    for (;;) {
      const end = data.indexOf(newline, from);
      if (end < 0) break;
      const line = parseLogLine(data.subarray(from, end));
      if (line) this.#add(line, parts);
      from = end + 1;
    }
    this.#rest = data.length - from > lineBytesMax ? Buffer.alloc(0) : data.subarray(from);
    const out = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    const cut = out.length > this.#leftBytes ? out.subarray(0, this.#leftBytes) : out;
    this.#leftBytes -= cut.length;
    return cut;
  }

  #add(line: LogLine, parts: Buffer[]): void {
    if (!accepts(this.#options, line.stream)) return;
    if (!this.#isSince) {
      if (timeOf(line) < this.#options.sinceMs!) return;
      this.#isSince = true;
    }
    if (this.#options.timestamps && !this.#inLine) parts.push(line.time, Buffer.from(" "));
    parts.push(line.content);
    if (!line.isPartial) parts.push(newlineBuffer);
    this.#inLine = line.isPartial;
  }
}
