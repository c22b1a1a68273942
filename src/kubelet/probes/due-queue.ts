import type { Clock, Timer } from "../../base/index.ts";

/**
 * What is done together costs less, and periods are whole seconds: a probe may come a twentieth of its period early. A
 * thousand probes of one period are fifty at a time, which is no long turn of the event loop.
 */
const slotsPerPeriod = 20;

/** What is due at one time. */
interface Slot<T> {
  atMs: number;
  items: T[];
}

/**
 * Items with the time at which each is due, and one timer for all. What comes again and again shares slots, as many of
 * them as a period has parts: a thousand probes a second cost a heap's work for each slot, not a timer each.
 */
export class DueQueue<T> {
  readonly #clock: Clock;
  readonly #onDue: (item: T) => void;
  readonly #heap: Slot<T>[] = [];
  /** Those that others may join. */
  readonly #shared = new Map<number, Slot<T>>();
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (item: T) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Due after exactly this time. */
  add(item: T, delayMs: number): void {
    this.#push({ atMs: this.#clock.monotonicMs() + Math.max(delayMs, 0), items: [item] });
    this.#arm();
  }

  /** Due after this time or less, by a part of `periodMs` at most, together with others. */
  addRoughly(item: T, delayMs: number, periodMs: number): void {
    const gridMs = Math.max(Math.round(periodMs / slotsPerPeriod), 1);
    const atMs = Math.floor((this.#clock.monotonicMs() + Math.max(delayMs, 0)) / gridMs) * gridMs;
    const slot = this.#shared.get(atMs);
    if (slot) {
      slot.items.push(item);
      return;
    }
    const opened = { atMs, items: [item] };
    this.#shared.set(atMs, opened);
    this.#push(opened);
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#heap.length = 0;
    this.#shared.clear();
  }

  #arm(): void {
    const first = this.#heap[0];
    if (!first || first.atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = first.atMs;
    this.#timer = this.#clock.after(first.atMs - this.#clock.monotonicMs(), () => this.#fire());
  }

  #fire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    // What is due within the same millisecond needs no timer of its own.
    const untilMs = this.#clock.monotonicMs() + 1;
    while (this.#heap[0] && this.#heap[0].atMs <= untilMs) {
      const slot = this.#pop();
      if (this.#shared.get(slot.atMs) === slot) this.#shared.delete(slot.atMs);
      for (const item of slot.items) this.#onDue(item);
    }
    this.#arm();
  }

  #push(slot: Slot<T>): void {
    const heap = this.#heap;
    let at = heap.push(slot) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.atMs <= slot.atMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = slot;
  }

  #pop(): Slot<T> {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && heap[left + 1]!.atMs < heap[left]!.atMs ? left + 1 : left;
      if (heap[child]!.atMs >= last.atMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
