import type { Clock, Timer } from "../../base/index.ts";
import { CompactedError, type Revision, type StoreEvent } from "../store.ts";
import type { StoredEntry } from "./stored-entry.ts";

export interface HistoryLimits {
  /** As a watch cache upstream at its largest. */
  eventsMax: number;
  /** What only the history still holds: superseded values and tombstones. */
  bytesMax: number;
  /** As kube-apiserver's compaction interval: a paged list or a cut watch has that long to go on. */
  ageMsMax: number;
}

export const historyLimits: HistoryLimits = {
  eventsMax: 100_000,
  bytesMax: 32 * 2 ** 20,
  ageMsMax: 5 * 60_000,
};

/** How late an old event may be dropped while nothing is written. */
const sweepMs = 30_000;

/**
 * The newest events, oldest first: what watches start from and old revisions are read with.
 * Whatever falls out moves `compacted` forward.
 */
export class History {
  readonly #clock: Clock;
  readonly #limits: HistoryLimits;
  #events: (StoreEvent | undefined)[] = [];
  #writtenMs: number[] = [];
  /** Events before this index are gone. */
  #start = 0;
  #bytes = 0;
  #compacted: Revision;
  #sweep: Timer | undefined;

  constructor(options: { clock: Clock; compacted: Revision; limits?: Partial<HistoryLimits> }) {
    this.#clock = options.clock;
    this.#compacted = options.compacted;
    this.#limits = { ...historyLimits, ...options.limits };
  }

  /** The state at this revision, and events after it, are known. */
  get compacted(): Revision {
    return this.#compacted;
  }

  get length(): number {
    return this.#events.length - this.#start;
  }

  append(events: readonly StoreEvent[]): void {
    const now = this.#clock.monotonicMs();
    for (const event of events) {
      this.#events.push(event);
      this.#writtenMs.push(now);
      this.#bytes += heldBytes(event);
    }
    while (this.length > this.#limits.eventsMax || (this.#bytes > this.#limits.bytesMax && this.length > 1)) {
      this.#drop();
    }
    this.#dropOld(now);
    this.#arm();
  }

  /** Events after `revision`, oldest first. Throws {@link CompactedError}. */
  after(revision: Revision): StoreEvent[] {
    if (revision < this.#compacted) throw new CompactedError(revision, this.#compacted);
    let low = this.#start;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#events[middle]!.entry.revision > revision) high = middle;
      else low = middle + 1;
    }
    return this.#events.slice(low) as StoreEvent[];
  }

  /** Forgets events up to and including `revision`. */
  compact(revision: Revision): void {
    while (this.length > 0 && this.#events[this.#start]!.entry.revision <= revision) this.#drop();
    this.#compacted = Math.max(this.#compacted, revision);
    this.#trim();
  }

  close(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#events = [];
    this.#writtenMs = [];
    this.#start = 0;
  }

  #dropOld(now: number): void {
    while (this.length > 0 && now - this.#writtenMs[this.#start]! > this.#limits.ageMsMax) this.#drop();
    this.#trim();
  }

  #drop(): void {
    const event = this.#events[this.#start]!;
    this.#events[this.#start++] = undefined;
    this.#bytes -= heldBytes(event);
    this.#compacted = event.entry.revision;
    // Whoever still has one of these makes its forms anew.
    (event.previous as StoredEntry | undefined)?.release();
    if (event.type === "delete") (event.entry as StoredEntry).release();
  }

  /** Closes the gap that dropped events left; rarely, since it moves the rest. */
  #trim(): void {
    if (this.#start < 256 || this.#start < this.length / 4) return;
    this.#events = this.#events.slice(this.#start);
    this.#writtenMs = this.#writtenMs.slice(this.#start);
    this.#start = 0;
  }

  #arm(): void {
    if (this.#sweep || this.length === 0) return;
    const dueMs = this.#writtenMs[this.#start]! + this.#limits.ageMsMax - this.#clock.monotonicMs();
    this.#sweep = this.#clock.after(Math.max(dueMs, 0) + sweepMs, () => {
      this.#sweep = undefined;
      this.#dropOld(this.#clock.monotonicMs());
      this.#arm();
    });
  }
}

function heldBytes(event: StoreEvent): number {
  const previous = event.previous?.bytes.length ?? 0;
  return event.type === "delete" ? previous + event.entry.bytes.length : previous;
}
