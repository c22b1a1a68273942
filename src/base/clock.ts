import { setTimeout as nodeSetTimeout } from "node:timers";

/** A pending call; cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as a parameter.
 *
 * - `now()` is wall time in milliseconds since the epoch; `monotonicMs()` never goes back.
 * - `after(ms, fn)` calls `fn` once, never synchronously.
 * - A timer does not keep the process alive.
 * - Only `base/` and the composition root touch the real clock.
 */
export interface Clock {
  now(): number;
  monotonicMs(): number;
  after(delayMs: number, fn: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason once it is aborted. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Node's timers overflow past 2^31-1 ms and would fire at once. */
const timerMsMax = 2 ** 31 - 1;

abstract class ClockWithSleep {
  abstract after(delayMs: number, fn: () => void): Timer;

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        timer.cancel();
        reject(signal!.reason);
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

/** The machine's clock. */
export class SystemClock extends ClockWithSleep implements Clock {
  now(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, fn: () => void): Timer {
    const dueMs = performance.now() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = () => {
      const leftMs = dueMs - performance.now();
      handle = nodeSetTimeout(leftMs > timerMsMax ? arm : fn, Math.min(Math.max(leftMs, 0), timerMsMax));
      handle.unref();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  }
}

interface Due {
  atMs: number;
  order: number;
  fn: () => void;
}

/** A clock that stands still until it is stepped; for tests and for users of the testing library. */
export class SteppedClock extends ClockWithSleep implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  /** How far the wall clock was set from where it began. */
  #setMs = 0;
  #due: Due[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    super();
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  now(): number {
    return this.#nowMs + this.#setMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  /** Sets the wall clock on, or back: time does not pass, and nothing falls due. */
  jump(ms: number): void {
    this.#setMs += ms;
  }

  after(delayMs: number, fn: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(delayMs, 0), order: this.#order++, fn };
    this.#due.push(due);
    return {
      cancel: () => {
        this.#due = this.#due.filter((d) => d !== due);
      },
    };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#due.length;
  }

  /** Moves time on by `ms`, running what falls due in order, and lets promises settle in between. */
  async step(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#due
        .filter((d) => d.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (!next) break;
      this.#due = this.#due.filter((d) => d !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.fn();
    }
    this.#nowMs = endMs;
  }
}
