import type { Clock } from "../../base/index.ts";
import {
  CompactedError,
  FutureRevisionError,
  type Range,
  type RangeOptions,
  type Revision,
  type StoreEvent,
  type Subscription,
  type Watcher,
} from "../store.ts";
import { History, type HistoryLimits } from "./history.ts";
import type { Recovered } from "./journal.ts";
import { compareKeys } from "./key-order.ts";
import { OrderedIndex } from "./ordered-index.ts";
import type { StoredEntry } from "./stored-entry.ts";
import { WatchHub } from "./watch-hub.ts";

/** What is durable and therefore visible: the current entries, recent history, and who watches. */
export class RevisionLog {
  readonly #index: OrderedIndex<StoredEntry>;
  readonly #history: History;
  readonly #watches: WatchHub;
  #head: Revision;

  constructor(options: { clock: Clock; recovered: Recovered; limits?: Partial<HistoryLimits> }) {
    this.#index = OrderedIndex.fromSorted(options.recovered.entries);
    this.#head = options.recovered.head;
    this.#watches = new WatchHub({ clock: options.clock });
    this.#history = new History({
      clock: options.clock,
      compacted: options.recovered.head,
      limits: options.limits,
    });
  }

  get head(): Revision {
    return this.#head;
  }

  get compacted(): Revision {
    return this.#history.compacted;
  }

  get(key: string): StoredEntry | undefined {
    return this.#index.get(key);
  }

  count(prefix: string): number {
    return this.#index.count(prefix);
  }

  /** Makes events visible, all at once, and tells the watchers; resolves when all have been told, and is undefined if they have. */
  publish(events: readonly StoreEvent[]): Promise<void> | undefined {
    for (const event of events) {
      if (event.type === "put") this.#index.set(event.entry as StoredEntry);
      else this.#index.delete(event.entry.key);
    }
    this.#head = events.at(-1)!.entry.revision;
    this.#history.append(events);
    return this.#watches.publish(events);
  }

  range(prefix: string, options: RangeOptions = {}): Range {
    const { at = 0, after, limit = Number.POSITIVE_INFINITY } = options;
    if (at > this.#head) throw new FutureRevisionError(at, this.#head);
    const changed = at === 0 || at === this.#head ? undefined : this.#changedSince(prefix, at);
    if (at !== 0 && at < this.compacted) throw new CompactedError(at, this.compacted);
    const revision = at === 0 ? this.#head : at;
    return changed && changed.size > 0
      ? { ...this.#rangeBefore(prefix, changed, after, limit), revision }
      : { ...this.#rangeNow(prefix, after, limit), revision };
  }

  watch(prefix: string, after: Revision, watcher: Watcher): Subscription {
    if (after > this.#head) throw new FutureRevisionError(after, this.#head);
    const backlog = this.#history.after(after);
    return this.#watches.add(prefix, watcher, { after: this.#head, backlog });
  }

  compact(revision: Revision): void {
    if (revision > this.#head) throw new FutureRevisionError(revision, this.#head);
    this.#history.compact(revision);
  }

  close(error: Error): void {
    this.#watches.close(error);
    this.#history.close();
  }

  #rangeNow(prefix: string, after: string | undefined, limit: number) {
    const entries = this.#index.take(prefix, after, limit);
    const last = entries.at(-1)?.key ?? after;
    const isWhole = entries.length < limit;
    return { entries, remaining: isWhole ? 0 : this.#index.count(prefix, last) };
  }

  /** What each key was at `revision`, for keys that have changed since; undefined: it was not there. */
  #changedSince(prefix: string, revision: Revision): Map<string, StoredEntry | undefined> {
    const changed = new Map<string, StoredEntry | undefined>();
    for (const { entry, previous } of this.#history.after(revision)) {
      if (entry.key.startsWith(prefix) && !changed.has(entry.key)) {
        changed.set(entry.key, previous as StoredEntry | undefined);
      }
    }
    return changed;
  }

  /** The current range with later changes undone. */
  #rangeBefore(
    prefix: string,
    changed: ReadonlyMap<string, StoredEntry | undefined>,
    after: string | undefined,
    limit: number,
  ) {
    const isAfter = (key: string) => after === undefined || compareKeys(key, after) > 0;
    const old = [...changed.values()]
      .filter((entry): entry is StoredEntry => entry !== undefined && isAfter(entry.key))
      .sort((a, b) => compareKeys(a.key, b.key));
    const entries: StoredEntry[] = [];
    let nextOld = 0;
    for (const entry of this.#index.scan(prefix, after)) {
      if (changed.has(entry.key)) continue;
      while (
        nextOld < old.length &&
        entries.length < limit &&
        compareKeys(old[nextOld]!.key, entry.key) < 0
      ) {
        entries.push(old[nextOld++]!);
      }
      if (entries.length >= limit) break;
      entries.push(entry);
    }
    while (nextOld < old.length && entries.length < limit) entries.push(old[nextOld++]!);
    return { entries, remaining: this.#remainingBefore(prefix, changed, entries.at(-1)?.key ?? after) };
  }

  #remainingBefore(
    prefix: string,
    changed: ReadonlyMap<string, StoredEntry | undefined>,
    last: string | undefined,
  ): number {
    let remaining = this.#index.count(prefix, last);
    for (const [key, before] of changed) {
      if (last !== undefined && compareKeys(key, last) <= 0) continue;
      remaining += (before ? 1 : 0) - (this.#index.get(key) ? 1 : 0);
    }
    return remaining;
  }
}
