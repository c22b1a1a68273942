import { mkdirSync } from "node:fs";
import type { Clock, Log } from "../../base/index.ts";
import type { HistoryLimits } from "../mvcc/history.ts";
import type { Journal } from "../mvcc/journal.ts";
import { MvccStore } from "../mvcc/mvcc-store.ts";
import { createHotCaches } from "../mvcc/stored-entry.ts";
import type { Store } from "../store.ts";
import { lockDirectory } from "./directory-lock.ts";
import { LmdbJournal } from "./lmdb-journal.ts";

export interface LmdbOptions {
  /** Made when it is missing. Belongs to one process at a time. */
  dir: string;
  clock: Clock;
  log: Log;
  limits?: Partial<HistoryLimits>;
}

/**
 * A store in a directory. Current entries and the head revision survive; history does not, so that
 * watches from before a restart end in `CompactedError`.
 *
 * Throws `DirectoryLockedError` when another process has it open.
 */
export async function openLmdbStore({ dir, clock, log, limits }: LmdbOptions): Promise<Store> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(dir);
  try {
    const caches = createHotCaches();
    const recovered = LmdbJournal.recover(dir, caches);
    // Opened anew, it no longer has every page mapped that was read just now.
    await recovered.close();
    const journal = releasing(new LmdbJournal({ dir, clock, log }), lock);
    log.info({ entries: recovered.entries.length, head: recovered.head }, "store opened");
    return new MvccStore({ clock, journal, recovered, caches, limits });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The same journal, letting the directory go when it is closed. */
function releasing(journal: Journal, lock: { release(): void }): Journal {
  return {
    commit: (writes) => journal.commit(writes),
    gather: (flush) => journal.gather(flush),
    close: async () => {
      await journal.close();
      lock.release();
    },
  };
}
