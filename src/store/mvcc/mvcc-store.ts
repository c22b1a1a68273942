import type { Clock } from "../../base/index.ts";
import type {
  Draft,
  Entry,
  PutOptions,
  Range,
  RangeOptions,
  Revision,
  Store,
  Subscription,
  Watcher,
} from "../store.ts";
import { GroupCommit } from "./group-commit.ts";
import type { HistoryLimits } from "./history.ts";
import type { Journal, Recovered } from "./journal.ts";
import { Leases } from "./leases.ts";
import { RevisionLog } from "./revision-log.ts";
import type { HotCaches } from "./stored-entry.ts";

export interface MvccOptions {
  clock: Clock;
  journal: Journal;
  recovered: Recovered;
  caches: HotCaches;
  limits?: Partial<HistoryLimits>;
}

/**
 * A store that keeps current entries and recent history in memory, and whose writes a journal makes durable.
 * Reads never touch the journal.
 */
export class MvccStore implements Store {
  readonly #clock: Clock;
  readonly #log: RevisionLog;
  readonly #commit: GroupCommit;
  readonly #leases: Leases;
  readonly #journal: Journal;
  #closing: Promise<void> | undefined;

  constructor({ clock, journal, recovered, caches, limits }: MvccOptions) {
    this.#clock = clock;
    this.#journal = journal;
    this.#log = new RevisionLog({ clock, recovered, limits });
    this.#leases = new Leases({ clock, log: this.#log, expire: (entry) => this.#expire(entry) });
    this.#commit = new GroupCommit({
      log: this.#log,
      journal,
      caches,
      onPublished: (events) => this.#leases.follow(events),
    });
    this.#leases.recover(recovered.entries);
  }

  get head(): Revision {
    return this.#log.head;
  }

  get compacted(): Revision {
    return this.#log.compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#log.get(key);
  }

  async range(prefix: string, options?: RangeOptions): Promise<Range> {
    return this.#log.range(prefix, options);
  }

  async count(prefix: string): Promise<number> {
    return this.#log.count(prefix);
  }

  put(key: string, draft: Draft, { expect, ttlS }: PutOptions): Promise<Entry> {
    const expiresAtMs = ttlS === undefined ? 0 : this.#clock.now() + ttlS * 1_000;
    return this.#commit.submit({ type: "put", key, draft, expect, expiresAtMs });
  }

  async delete(key: string, draft: Draft, { expect }: { expect: Revision }): Promise<Entry> {
    return this.#commit.submit({ type: "delete", key, draft, expect, expiresAtMs: 0 });
  }

  watch(prefix: string, { after }: { after: Revision }, watcher: Watcher): Subscription {
    return this.#log.watch(prefix, after, watcher);
  }

  async compact(revision: Revision): Promise<void> {
    this.#log.compact(revision);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#leases.close();
    await this.#commit.close();
    this.#log.close(new Error("the store was closed"));
    await this.#journal.close();
  }

  #expire(entry: Entry): Promise<Entry> {
    return this.delete(entry.key, lastState(entry), { expect: entry.revision });
  }
}

/** The tombstone of a key that nobody deleted: as it was, at the revision of its end. */
function lastState(entry: Entry): Draft {
  return (revision) => {
    const object = JSON.parse(entry.bytes.toString("utf8"));
    if (object?.metadata) object.metadata.resourceVersion = String(revision);
    return { bytes: Buffer.from(JSON.stringify(object)), object };
  };
}
