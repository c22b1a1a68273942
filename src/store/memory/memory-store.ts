import type { Clock } from "../../base/index.ts";
import type { HistoryLimits } from "../mvcc/history.ts";
import type { Journal } from "../mvcc/journal.ts";
import { MvccStore } from "../mvcc/mvcc-store.ts";
import { createHotCaches } from "../mvcc/stored-entry.ts";
import type { Store } from "../store.ts";

/** Nothing outlives the process, so a write is as durable as it will ever be at once. */
const nowhere: Journal = {
  commit: () => Promise.resolve(),
  gather: queueMicrotask,
  close: () => Promise.resolve(),
};

/** A store that ends with its process; for tests and `--ephemeral`. */
export function createMemoryStore(options: { clock: Clock; limits?: Partial<HistoryLimits> }): Store {
  return new MvccStore({
    ...options,
    journal: nowhere,
    recovered: { entries: [], head: 1 },
    caches: createHotCaches(),
  });
}
