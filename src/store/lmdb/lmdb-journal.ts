import { chmodSync, closeSync, fsyncSync, openSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { type Clock, InvariantError, type Log, type Timer } from "../../base/index.ts";
import type { Journal, JournalWrite, Recovered } from "../mvcc/journal.ts";
import { keepRecord, type RecordFields, readRecord, recordOf } from "../mvcc/record.ts";
import { type HotCaches, StoredEntry } from "../mvcc/stored-entry.ts";
import { NoSpaceError, type Revision } from "../store.ts";
import { bytesOfCommit, SpareRoom } from "./spare-room.ts";

/** As etcd's largest recommended quota. Address space only: neither memory nor disk is taken for it. */
export const databaseBytesMax = 8 * 2 ** 30;
/** After a full disk, how long writes fail at once before the disk is tried again. */
const fullDiskRetryMs = 250;
/**
 * LMDB maps its file, and what it touches stays resident: after so many bytes written, and then a pause, the file
 * is closed until the next write. Opening it takes about 2 ms.
 */
const unmapAfterBytes = 4 * 2 ** 20;
const unmapAfterMs = 1_000;
/** Values found at the start share allocations of this size; small, so that rewritten ones let go of theirs. */
const slabBytes = 64 * 2 ** 10;

const fileName = "store.mdb";
/** No other key begins with NUL, so this is the first one. */
const metaKey = "\0meta";
const format = 1;

interface Meta {
  format: number;
  /** The newest revision, also when it was a deletion. */
  head: Revision;
}

/** LMDB's and the system's codes for "no room". */
const noSpaceCodes = new Set([-30_792 /* MDB_MAP_FULL */, 28 /* ENOSPC */, 122 /* EDQUOT */]);
/** EIO: also what LMDB makes of a write that the disk had room for only in part. */
const ioErrorCode = 5;
/** A disk with less room than a commit of the largest size, and its pages, may have been what stopped one. */
const roomBytesMin = 32 * 2 ** 20;

/**
 * The current entries in one LMDB file; history is not kept.
 *
 * A commit is one LMDB transaction on the library's own thread. `overlappingSync` is off, so it
 * resolves only after LMDB has synced its pages and then its root; with it on, the library resolves before.
 */
export class LmdbJournal implements Journal {
  /** Undefined: nothing was written lately. */
  #db: RootDatabase<any, string> | undefined;
  #closing: Promise<void> | undefined;
  #writtenBytes = 0;
  #pause: Timer | undefined;
  readonly #dir: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #room: SpareRoom;
  #fullUntilMs = Number.NEGATIVE_INFINITY;

  constructor({ dir, clock, log }: { dir: string; clock: Clock; log: Log }) {
    this.#db = openDatabase(dir);
    this.#dir = dir;
    this.#clock = clock;
    this.#log = log;
    this.#room = new SpareRoom(join(dir, fileName));
  }

  /** Everything that is current. Blocks; called once, before anything is served. */
  static recover(dir: string, caches: HotCaches): Recovered & { close(): Promise<void> } {
    const db = openDatabase(dir);
    const entries: StoredEntry[] = [];
    let meta: Meta = { format, head: 1 };
    for (const { key, value } of db.getRange({ start: metaKey })) {
      if (key === metaKey) meta = JSON.parse(value.bytes.toString());
      else entries.push(new StoredEntry(caches, key, value));
    }
    if (meta.format !== format) {
      throw new Error(`${join(dir, fileName)} has format ${meta.format}; this version knows ${format}`);
    }
    return { entries, head: meta.head, close: () => db.close() };
  }

  async commit(writes: readonly JournalWrite[]): Promise<void> {
    this.#pause?.cancel();
    if (this.#clock.monotonicMs() < this.#fullUntilMs) throw noSpace();
    await this.#closing;
    try {
      this.#db ??= openDatabase(this.#dir);
      const db = this.#db;
      if (!(await this.#hasRoomFor(db, writes))) throw this.#full();
      await db.batch(() => this.#write(db, writes));
    } catch (error) {
      throw await this.#explain(error);
    } finally {
      if (this.#writtenBytes >= unmapAfterBytes) {
        this.#pause = this.#clock.after(unmapAfterMs, () => this.#unmap());
      }
    }
  }

  gather(flush: () => void): void {
    // Requests that arrive in one turn of the event loop share a commit.
    setImmediate(flush);
  }

  async close(): Promise<void> {
    this.#pause?.cancel();
    await this.#closing;
    await this.#db?.close();
  }

  #unmap(): void {
    const db = this.#db;
    this.#db = undefined;
    this.#writtenBytes = 0;
    this.#closing = db?.close();
  }

  #write(db: RootDatabase<any, string>, writes: readonly JournalWrite[]): void {
    for (const write of writes) {
      if (write.type === "put") {
        db.put(write.entry.key, recordOf(write.entry.bytes));
        this.#writtenBytes += write.entry.bytes.length;
      } else db.remove(write.key);
    }
    const last = writes.at(-1)!;
    const meta: Meta = { format, head: last.type === "put" ? last.entry.revision : last.revision };
    const bytes = Buffer.from(JSON.stringify(meta));
    db.put(metaKey, recordOf(keepRecord(bytes, { revision: meta.head, expiresAtMs: 0 })));
  }

  #hasRoomFor(db: RootDatabase<any, string>, writes: readonly JournalWrite[]): Promise<boolean> {
    let valueBytes = 0;
    for (const write of writes) if (write.type === "put") valueBytes += write.entry.bytes.length;
    return this.#room.take(bytesOfCommit(writes.length, valueBytes), () => {
      const { lastPageNumber, pageSize } = db.getStats() as { lastPageNumber: number; pageSize: number };
      return (lastPageNumber + 1) * pageSize;
    });
  }

  #full(): NoSpaceError {
    this.#log.warn("no space left for the store");
    this.#fullUntilMs = this.#clock.monotonicMs() + fullDiskRetryMs;
    return noSpace();
  }

  async #explain(error: any): Promise<Error> {
    if (error instanceof NoSpaceError) return error;
    const cause = await Promise.resolve(error.commitError).catch((commitError: unknown) => commitError);
    const code = cause?.code ?? error.code;
    const isFull = noSpaceCodes.has(code) || (code === ioErrorCode && (await this.#isDiskFull()));
    if (!isFull) {
      // What is on disk is not known any more. Only a new start finds out; as etcd, which panics.
      queueMicrotask(() => {
        throw new InvariantError(`the store's disk failed: ${cause?.message ?? error.message}`);
      });
      return error;
    }
    return this.#full();
  }

  async #isDiskFull(): Promise<boolean> {
    const { bavail, bsize } = await statfs(this.#dir);
    return bavail * bsize < roomBytesMin;
  }
}

const noSpace = () => new NoSpaceError("no space left on the store's disk");

function openDatabase(dir: string): RootDatabase<any, string> {
  const path = join(dir, fileName);
  const db = open<any, string>({
    path,
    noSubdir: true,
    mapSize: databaseBytesMax,
    maxDbs: 1,
    overlappingSync: false,
    eventTurnBatching: false,
    encoder: valueCoder(),
    keyEncoder: keyCoder,
  });
  // It holds Secrets.
  for (const file of [path, `${path}-lock`]) chmodSync(file, 0o600);
  syncDirectory(dir);
  return db;
}

/** A new file survives a power cut only once its directory is synced. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  fsyncSync(fd);
  closeSync(fd);
}

const keyCoder = {
  writeKey: (key: string, target: Buffer, start: number) =>
    start + Buffer.prototype.write.call(target, key, start, "utf8"),
  readKey: (source: Buffer, start: number, end: number) =>
    Buffer.prototype.toString.call(source, "utf8", start, end),
};

/** Reads copy values out of the library's buffer, into slabs; a view is made only of what is kept of each. */
function valueCoder() {
  let slab = Buffer.alloc(0);
  let used = 0;
  return {
    encode: (value: Buffer) => value,
    decode: (source: Buffer, length: number): RecordFields => {
      if (used + length > slab.length) {
        slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, length));
        used = 0;
      }
      // The library overwrites the buffer's own `length`, which Buffer's methods trip over.
      slab.set(new Uint8Array(source.buffer, source.byteOffset, length), used);
      used += length;
      return readRecord(slab, used - length, used);
    },
  };
}
