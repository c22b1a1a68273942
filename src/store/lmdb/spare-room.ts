import { type FileHandle, open } from "node:fs/promises";

/** LMDB's own. */
const pageBytes = 4096;
/** What a write changes of the tree beside its value: its leaf, the branches above, their splits, the free list. */
const pagesOfWrite = 6;
const pagesOfCommit = 16;
const growthBytes = 512 * 2 ** 10;

/** An upper bound of what a commit of so many writes, of `valueBytes` together, adds to LMDB's file. */
export const bytesOfCommit = (writes: number, valueBytes: number) =>
  valueBytes + (writes * pagesOfWrite + pagesOfCommit) * pageBytes;

/**
 * Room at the end of LMDB's file, taken from the disk before a commit needs it: a commit that finds none while it
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
    if (this.#bytes < bytes && !(await this.#grow(bytes, usedBytes()))) return false;
    this.#bytes -= bytes;
    return true;
  }

  async #grow(bytes: number, usedBytes: number): Promise<boolean> {
    const file = await open(this.#path, "r+");
    try {
      const { size } = await file.stat();
      this.#bytes = Math.max(0, size - usedBytes);
      if (this.#bytes >= bytes) return true;
      const more = Math.ceil((bytes - this.#bytes) / growthBytes) * growthBytes;
      if (!(await fill(file, size, more))) return false;
      this.#bytes += more;
      return true;
    } finally {
      await file.close();
    }
  }
}

/** Writes zeros from `at` on; all of them, or none. */
async function fill(file: FileHandle, at: number, bytes: number): Promise<boolean> {
  try {
    for (let done = 0; done < bytes; ) {
      const part = Buffer.alloc(Math.min(growthBytes, bytes - done));
      done += (await file.write(part, 0, part.length, at + done)).bytesWritten;
    }
    return true;
  } catch (error) {
    await file.truncate(at);
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") return false;
    throw error;
  }
}
