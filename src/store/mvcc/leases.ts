import type { Clock, Timer } from "../../base/index.ts";
import type { Entry, StoreEvent } from "../store.ts";
import type { RevisionLog } from "./revision-log.ts";
import type { StoredEntry } from "./stored-entry.ts";

/** Expired keys are removed that many at a time, so that a storm of old events does not crowd out other writes. */
const expireBatchMax = 128;
/** After a removal that failed (a full disk). */
const retryMs = 10_000;

/**
 * Removes keys whose time has come.
 *
 * A heap of what expires next. An entry that has been written since is recognised when its turn
 * comes, not before; the heap is rebuilt when most of it is such leftovers.
 */
export class Leases {
  readonly #clock: Clock;
  readonly #log: RevisionLog;
  readonly #expire: (entry: Entry) => Promise<unknown>;
  #heap: StoredEntry[] = [];
  #live = 0;
  #timer: Timer | undefined;
  #timerAtMs = 0;
  #closed = false;

  constructor(options: { clock: Clock; log: RevisionLog; expire: (entry: Entry) => Promise<unknown> }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#expire = options.expire;
  }

  /** What was found at the start. */
  recover(entries: Iterable<StoredEntry>): void {
    for (const entry of entries) if (entry.expiresAtMs > 0) this.#add(entry);
    this.#arm();
  }

  follow(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.previous && (event.previous as StoredEntry).expiresAtMs > 0) this.#live--;
      if (event.type === "put" && (event.entry as StoredEntry).expiresAtMs > 0) {
        this.#add(event.entry as StoredEntry);
      }
    }
    if (this.#heap.length > 2 * this.#live + 1_024) this.#rebuild();
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#heap = [];
  }

  #add(entry: StoredEntry): void {
    this.#live++;
    this.#heap.push(entry);
    siftUp(this.#heap);
  }

  #rebuild(): void {
    const live = this.#heap.filter((entry) => this.#isCurrent(entry));
    this.#heap = live.sort((a, b) => a.expiresAtMs - b.expiresAtMs);
    this.#live = live.length;
  }

  #isCurrent(entry: StoredEntry): boolean {
    return this.#log.get(entry.key) === entry;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (this.#closed || !first) return;
    if (this.#timer && this.#timerAtMs <= first.expiresAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = first.expiresAtMs;
    this.#timer = this.#clock.after(Math.max(0, first.expiresAtMs - this.#clock.now()), () => {
      this.#timer = undefined;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    const due: StoredEntry[] = [];
    while (due.length < expireBatchMax && this.#heap[0] && this.#heap[0].expiresAtMs <= this.#clock.now()) {
      const entry = popMin(this.#heap);
      if (this.#isCurrent(entry)) due.push(entry);
    }
    const results = await Promise.allSettled(due.map((entry) => this.#expire(entry)));
    if (this.#closed) return;
    const failed = due.filter((entry, i) => results[i]!.status === "rejected" && this.#isCurrent(entry));
    if (failed.length > 0) {
      this.#clock.after(retryMs, () => {
        if (this.#closed) return;
        for (const entry of failed) {
          this.#heap.push(entry);
          siftUp(this.#heap);
        }
        this.#arm();
      });
    }
    this.#arm();
  }
}

function siftUp(heap: StoredEntry[]): void {
  let at = heap.length - 1;
  const entry = heap[at]!;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]!.expiresAtMs <= entry.expiresAtMs) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

function popMin(heap: StoredEntry[]): StoredEntry {
  const min = heap[0]!;
  const entry = heap.pop()!;
  if (heap.length === 0) return min;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1]!.expiresAtMs < heap[child]!.expiresAtMs) child++;
    if (heap[child]!.expiresAtMs >= entry.expiresAtMs) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = entry;
  return min;
}
