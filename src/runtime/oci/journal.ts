import { type FileHandle, open, readFile, rename } from "node:fs/promises";
import type { Log } from "../../base/index.ts";

/** Below this a journal is not worth rewriting, however much of it is outdated. */
const rewriteBytesMin = 4 * 1024 * 1024;
/** A journal is rewritten when it has grown to this many times what its last rewriting left. */
const growthMax = 4;

/**
 * A file of JSON lines that only grows at its end, and is rewritten when most of it is outdated.
 *
 * - One file for everything: making and removing a file for each of many short-lived things costs a filesystem far more
 *   than a line. ext4 looks for a free inode past every one that was given back in the last minute.
 * - {@link append} resolves when its line is with the kernel: the death of this process loses nothing that resolved.
 *   Nothing is fsynced.
 * - A last line that a crash cut short is dropped, as it was never acknowledged.
 * - Entries are written in the order of their appends; those that wait share a write.
 */
export class Journal {
  readonly #path: string;
  /** What a rewritten journal consists of. */
  readonly #live: () => Iterable<object>;
  readonly #log: Log;
  #file: FileHandle | undefined;
  #sizeBytes = 0;
  #rewriteAtBytes = rewriteBytesMin;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  /** A write that failed may have left half a line, which the next one must not continue. */
  #isTorn = false;
  #isClosed = false;

  constructor(options: { path: string; live: () => Iterable<object>; log: Log }) {
    this.#path = options.path;
    this.#live = options.live;
    this.#log = options.log;
  }

  /** Tells every entry, oldest first, then begins a fresh file of what is live. */
  async load(tell: (entry: any) => void): Promise<void> {
    const text = await readFile(this.#path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw error;
    });
    for (const line of text.split("\n")) {
      if (line === "") continue;
      let entry: object;
      try {
        entry = JSON.parse(line);
      } catch {
        this.#log.warn({ path: this.#path }, "dropped a record that a crash left unfinished");
        continue;
      }
      tell(entry);
    }
    await this.#rewrite();
  }

  append(entry: object): Promise<void> {
    // What comes after the end is for whoever opens the journal next to find out.
    if (this.#isClosed) return Promise.resolve();
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    const before = this.#writing;
    if (before && this.#waiting.length > 1) return before;
    const writing: Promise<void> = (before ?? Promise.resolve()).catch(() => {}).then(() => this.#write());
    this.#writing = writing;
    return writing;
  }

  /** Resolves when all is written that has been appended, and the file is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing?.catch(() => {});
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(): Promise<void> {
    const bytes = Buffer.from(this.#waiting.splice(0).join(""));
    // All that is appended is live, or no longer of interest.
    if (this.#isTorn || this.#sizeBytes > this.#rewriteAtBytes) return this.#rewrite();
    this.#isTorn = true;
    await this.#file!.appendFile(bytes);
    this.#isTorn = false;
    this.#sizeBytes += bytes.length;
  }

  /** Beside the old one, which stays whole until the new one takes its name. */
  async #rewrite(): Promise<void> {
    const beside = `${this.#path}.new`;
    const lines: string[] = [];
    for (const entry of this.#live()) lines.push(`${JSON.stringify(entry)}\n`);
    const file = await open(beside, "w", 0o600);
    const bytes = Buffer.from(lines.join(""));
    try {
      await file.writeFile(bytes);
      await rename(beside, this.#path);
    } catch (error) {
      await file.close();
      throw error;
    }
    await this.#file?.close();
    this.#file = file;
    this.#sizeBytes = bytes.length;
    this.#isTorn = false;
    this.#rewriteAtBytes = Math.max(rewriteBytesMin, growthMax * this.#sizeBytes);
  }
}
