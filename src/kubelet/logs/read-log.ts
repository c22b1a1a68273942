import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock, Timer } from "../../base/index.ts";
import type { PodLogOptions } from "../../client/index.ts";
import { logFiles, openNext } from "./log-files.ts";
import { accepts, LogFormatter } from "./log-formatter.ts";
import { tailStart } from "./tail-start.ts";

/** So much at once that neither the disk's answer nor the client's is waited for often. */
const blockBytes = 512 * 1_024;
/** How often a log is looked at where the kernel cannot tell of its changes. */
const lookEveryMs = 200;

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
  const formatter = new LogFormatter(options);
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

/** Where reading begins: a file and the place in it. Without one, at the oldest file's start. */
async function startOf(
  path: string,
  options: ReadLogOptions,
): Promise<{ inode: number; offset: number } | undefined> {
  if (options.tailLines === undefined) return undefined;
  let start: { inode: number; offset: number } | undefined;
  let missing = options.tailLines;
  for (const { inode, path: each } of (await logFiles(path)).reverse()) {
    const file = await open(each).catch(() => undefined);
    if (!file) continue;
    try {
      const found = await tailStart(file, (await file.stat()).size, missing, (stream) =>
        accepts(options.stream, stream),
      );
      start = { inode, offset: found.offset };
      missing = found.missing;
    } finally {
      await file.close();
    }
    if (missing === 0) break;
  }
  return start;
}

/** File after file, also those that come to be while others are read: rotation loses nothing. */
async function* rawBlocks(
  path: string,
  options: ReadLogOptions,
  follower: Follower | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const start = await startOf(path, options);
  let last: number | undefined;
  // Those before the start are passed over.
  let isBefore = start !== undefined;
  for (;;) {
    const next = follower?.change();
    const found = await openNext(path, last);
    if (!found) {
      if (!follower || follower.hasEnded || signal.aborted) return;
      await next;
      continue;
    }
    last = found.inode;
    isBefore &&= found.inode !== start!.inode && !found.isNewest;
    if (isBefore) {
      await found.file.close();
      continue;
    }
    const offset = found.inode === start?.inode ? start.offset : 0;
    if (!found.isNewest) yield* toEnd(found.file, offset, signal);
    else if (!(yield* current(found.file, offset, path, follower, signal))) return;
  }
}

async function* toEnd(file: FileHandle, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* restOf(file, offset, signal);
  } finally {
    await file.close();
  }
}

async function* restOf(file: FileHandle, offset: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let at = offset; !signal.aborted; ) {
    const buffer = Buffer.allocUnsafe(blockBytes);
    const { bytesRead } = await file.read(buffer, 0, blockBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
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
      if (now && now.ino !== ino) {
        // What was written between our last look and the rotation.
        yield* restOf(file, at, signal);
        return true;
      }
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
