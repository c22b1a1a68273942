import { assert } from "../../base/index.ts";
import {
  type Draft,
  type Entry,
  keyBytesMax,
  type Revision,
  StaleError,
  type StoreEvent,
  TooLargeError,
  valueBytesMax,
} from "../store.ts";
import type { Journal, JournalWrite } from "./journal.ts";
import { keepRecord } from "./record.ts";
import type { RevisionLog } from "./revision-log.ts";
import { type HotCaches, StoredEntry } from "./stored-entry.ts";

/** A commit larger than this would make the first of its writes wait for the last. */
const commitWritesMax = 1_024;
const commitBytesMax = 16 * 2 ** 20;

/** A write that was asked for. */
export interface Write {
  type: "put" | "delete";
  key: string;
  draft: Draft;
  expect: Revision;
  expiresAtMs: number;
}

interface Waiting extends Write {
  resolve(entry: Entry): void;
  reject(error: unknown): void;
}

/** A write that was accepted and has its revision, but is not durable yet. */
interface Pending {
  event: StoreEvent;
  write: Waiting;
  /** Writes of the same key, to be checked once it is known what became of this one. */
  next: Waiting[];
}

/**
 * The way of a write: check, draft, commit together with others, publish.
 *
 * - A key has at most one write on its way. What comes meanwhile is checked after that one has
 *   become durable or has failed, in order of arrival: so no answer speaks of a state that may
 *   never come to be.
 * - One commit at a time; what arrives meanwhile shares the next one.
 */
export class GroupCommit {
  readonly #log: RevisionLog;
  readonly #journal: Journal;
  readonly #caches: HotCaches;
  readonly #onPublished: (events: readonly StoreEvent[]) => void;
  readonly #onWay = new Map<string, Pending>();
  #queue: Pending[] = [];
  #state: "idle" | "gathering" | "committing" | "closed" = "idle";
  #assigned: Revision;
  #drained: (() => void)[] = [];

  constructor(options: {
    log: RevisionLog;
    journal: Journal;
    caches: HotCaches;
    onPublished: (events: readonly StoreEvent[]) => void;
  }) {
    this.#log = options.log;
    this.#journal = options.journal;
    this.#caches = options.caches;
    this.#onPublished = options.onPublished;
    this.#assigned = options.log.head;
  }

  submit(write: Write): Promise<Entry> {
    return new Promise((resolve, reject) => {
      assert(!write.key.startsWith("\0"), "keys that begin with NUL are the engines' own");
      const keyBytes = Buffer.byteLength(write.key);
      if (keyBytes > 0 && keyBytes <= keyBytesMax) this.#attempt({ ...write, resolve, reject });
      else reject(new TooLargeError(`a key has 1 to ${keyBytesMax} bytes, this one ${keyBytes}`));
    });
  }

  /** Resolves when nothing is on its way any more. Later writes are refused. */
  async close(): Promise<void> {
    while (this.#onWay.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
    this.#state = "closed";
  }

  #attempt(write: Waiting): void {
    const before = this.#onWay.get(write.key);
    if (before) {
      before.next.push(write);
      return;
    }
    try {
      const pending: Pending = { event: this.#accept(write), write, next: [] };
      this.#onWay.set(write.key, pending);
      this.#queue.push(pending);
      this.#schedule();
    } catch (error) {
      write.reject(error);
    }
  }

  #accept(write: Waiting): StoreEvent {
    if (this.#state === "closed") throw new Error("the store is closed");
    const current = this.#log.get(write.key);
    const isAbsent = write.type === "delete" && !current;
    if (isAbsent || (current?.revision ?? 0) !== write.expect) throw new StaleError(write.key, current);
    return this.#draft(write, current);
  }

  #draft(write: Waiting, previous: StoredEntry | undefined): StoreEvent {
    const revision = this.#assigned + 1;
    const { bytes, object } = write.draft(revision);
    if (bytes.length > valueBytesMax) {
      throw new TooLargeError(
        `${write.key}: a value has at most ${valueBytesMax} bytes, this one ${bytes.length}`,
      );
    }
    this.#assigned = revision;
    const { key, expiresAtMs } = write;
    const record = { revision, expiresAtMs, bytes: keepRecord(bytes, { revision, expiresAtMs }) };
    const entry = new StoredEntry(this.#caches, key, record, object);
    if (write.type === "put") return { type: "put", entry, ...(previous && { previous }) };
    return { type: "delete", entry, previous: previous! };
  }

  #schedule(): void {
    if (this.#state !== "idle" || this.#queue.length === 0) return;
    this.#state = "gathering";
    this.#journal.gather(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    this.#state = "committing";
    const batch = this.#takeBatch();
    let failure: { error: unknown } | undefined;
    try {
      await this.#journal.commit(batch.map(({ event }) => journalWrite(event)));
    } catch (error) {
      failure = { error };
    }
    for (const { write } of batch) this.#onWay.delete(write.key);
    this.#state = "idle";
    if (failure) for (const { write } of batch) write.reject(failure.error);
    else this.#publish(batch);
    for (const { next } of batch) for (const write of next) this.#attempt(write);
    this.#schedule();
    if (this.#onWay.size === 0) for (const drained of this.#drained.splice(0)) drained();
  }

  /** Watchers first: so a writer who floods many of them waits for them, and its own watch is never behind its answer. */
  #publish(batch: readonly Pending[]): void {
    const events = batch.map(({ event }) => event);
    const told = this.#log.publish(events);
    this.#onPublished(events);
    const answer = () => {
      for (const { write, event } of batch) write.resolve(event.entry);
    };
    if (told) void told.then(answer);
    else answer();
  }

  #takeBatch(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && count < commitWritesMax && bytes < commitBytesMax) {
      bytes += this.#queue[count++]!.event.entry.bytes.length;
    }
    return this.#queue.splice(0, count);
  }
}

function journalWrite(event: StoreEvent): JournalWrite {
  return event.type === "put"
    ? { type: "put", entry: event.entry as StoredEntry }
    : { type: "delete", key: event.entry.key, revision: event.entry.revision };
}
