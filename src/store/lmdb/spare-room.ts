import { statfsSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** LMDB's own. */
const pageBytes = 4096;
/** What a write changes of the tree beside its value: its leaf, the branches above, their splits, the free list. */
const pagesOfWrite = 6;
const pagesOfCommit = 16;
/** More than a commit needs, so that few have to wait for more; where the disk has it. */
const ampleBytes = 4 * 2 ** 20;
/** Nobody fills so much of a disk while a commit is on its way. */
const plentyBytes = 2 ** 30;
const zeros = Buffer.alloc(256 * 2 ** 10);

/** An upper bound of what a commit of so many writes, of `valueBytes` together, adds to LMDB's file. */
export const bytesOfCommit = (writes: number, valueBytes: number) =>
  valueBytes + (writes * pagesOfWrite + pagesOfCommit) * pageBytes;

/**
 * Room at the end of LMDB's file, taken from a disk that has little left before a commit needs it: a commit that finds none while it
 * writes makes the library overrun a buffer (lmdb-js 3.5, `mdb_page_flush`), and the process ends.
 *
 * To LMDB a file may be longer than what is in use of it; it uses the room in order.
 */
export class SpareRoom {
  readonly #path: string;
  /** At least so much of the file is not in use. */
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * False when the disk has no room for `bytes`. No commit may be on its way. `usedBytes` tells how far the file is
   * in use.
   */
  async take(bytes: number, usedBytes: () => number): Promise<boolean> {
    const { bavail, bsize } = statfsSync(this.#path);
    if (bavail * bsize > plentyBytes) {
      // LMDB takes what it needs.
      this.#bytes = 0;
      return true;
    }
    if (this.#bytes < bytes && !(await this.#measureAndGrow(bytes, usedBytes()))) return false;
    this.#bytes -= bytes;
    return true;
  }

  async #measureAndGrow(bytes: number, usedBytes: number): Promise<boolean> {
    // By way of another thread it would take ten times as long.
    const { size } = statSync(this.#path);
    this.#bytes = Math.max(0, size - usedBytes);
    if (this.#bytes >= bytes) return true;
    const file = await open(this.#path, "r+");
    try {
      const grown = (await fill(file, size, bytes + ampleBytes)) || (await fill(file, size, bytes));
      this.#bytes += grown;
      return grown > 0;
    } finally {
      await file.close();
    }
  }
}

/** Writes zeros from `at` on, and tells how many: at least `bytes`, or none where the disk has no room. */
async function fill(file: FileHandle, at: number, bytes: number): Promise<number> {
  try {
    let done = 0;
    while (done < bytes) {
      const parts = Array<Buffer>(Math.ceil((bytes - done) / zeros.length)).fill(zeros);
      done += (await file.writev(parts, at + done)).bytesWritten;
    }
    return done;
  } catch (error) {
    await file.truncate(at);
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") return 0;
    throw error;
  }
}
