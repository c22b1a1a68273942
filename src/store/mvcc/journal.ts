import type { Revision } from "../store.ts";
import type { StoredEntry } from "./stored-entry.ts";

/** Where writes are made durable: the part in which engines differ. */
export interface Journal {
  /**
   * Resolves when `writes` are durable, all of them, in order; on failure none is.
   * Never called again before it has settled. Throws `NoSpaceError`.
   */
  commit(writes: readonly JournalWrite[]): Promise<void>;
  /** Calls `flush` once, soon: after whatever else is about to arrive for the same commit. */
  gather(flush: () => void): void;
  close(): Promise<void>;
}

export type JournalWrite =
  | { type: "put"; entry: StoredEntry }
  | { type: "delete"; key: string; revision: Revision };

/** What was found when the journal was opened. */
export interface Recovered {
  /** Sorted by key. */
  entries: readonly StoredEntry[];
  head: Revision;
}
