import type { Clock, Timer } from "../base/index.ts";
import type { Workqueue } from "./workqueue.ts";

/** Of failures in a row of one key. As client-go's default for controllers. */
export const backoffInitialMs = 5;
export const backoffMaxMs = 1_000_000;

export interface WorkqueueOptions {
  clock: Clock;
  backoff?: { initialMs: number; maxMs: number };
  metrics?: WorkqueueMetrics;
}

/** As the metrics of `k8s.io/component-base/metrics/prometheus/workqueue`. */
export interface WorkqueueMetrics {
  added?(): void;
  depth?(length: number): void;
  /** How long a key stood in the queue. */
  waited?(ms: number): void;
  /** How long a worker had it. */
  worked?(ms: number): void;
  retried?(): void;
}

/** The side of a {@link Workqueue} that workers see. */
export interface WorkerQueue extends Workqueue {
  /** The next key, as soon as there is one; undefined once the signal is aborted. Each is answered by one `done`. */
  take(signal: AbortSignal): Promise<string | undefined>;
  done(key: string): void;
  /** Adds the key again after its back-off. Returns how long that is. */
  retry(key: string): number;
  /** Ends the run of failures. */
  forget(key: string): void;
  /** Failures in a row. */
  failures(key: string): number;
}

export function createWorkqueue(options: WorkqueueOptions): WorkerQueue {
  return new Queue(options);
}

class Queue implements WorkerQueue {
  readonly #clock: Clock;
  readonly #backoff: { initialMs: number; maxMs: number };
  readonly #metrics: WorkqueueMetrics;
  /** In order, with the time each was added; what is before `#first` is taken. */
  #queue: { key: string; sinceMs: number }[] = [];
  #first = 0;
  /** Keys that are to be worked on: in the queue, or again after the work under way. */
  readonly #dirty = new Set<string>();
  /** Keys that workers have, with the time they were taken. */
  readonly #processing = new Map<string, number>();
  readonly #delayed = new Map<string, { dueMs: number; timer: Timer }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];

  constructor({ clock, backoff, metrics }: WorkqueueOptions) {
    this.#clock = clock;
    this.#backoff = backoff ?? { initialMs: backoffInitialMs, maxMs: backoffMaxMs };
    this.#metrics = metrics ?? {};
  }

  get length(): number {
    return this.#queue.length - this.#first;
  }

  add(key: string): void {
    if (this.#dirty.has(key)) return;
    this.#metrics.added?.();
    this.#dirty.add(key);
    if (!this.#processing.has(key)) this.#push(key);
  }

  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonicMs() + delayMs;
    const delayed = this.#delayed.get(key);
    // As client-go: of several delays the shortest counts.
    if (delayed && delayed.dueMs <= dueMs) return;
    delayed?.timer.cancel();
    const timer = this.#clock.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { dueMs, timer });
  }

  take(signal: AbortSignal): Promise<string | undefined> {
    if (signal.aborted) return Promise.resolve(undefined);
    if (this.length > 0) return Promise.resolve(this.#shift());
    return new Promise((resolve) => {
      const onAbort = () => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        resolve(undefined);
      };
      const taker = (key: string | undefined) => {
        signal.removeEventListener("abort", onAbort);
        resolve(key);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#takers.push(taker);
    });
  }

  done(key: string): void {
    const sinceMs = this.#processing.get(key);
    if (sinceMs === undefined) return;
    this.#metrics.worked?.(this.#clock.monotonicMs() - sinceMs);
    this.#processing.delete(key);
    if (this.#dirty.has(key)) this.#push(key);
  }

  retry(key: string): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    this.#metrics.retried?.();
    const delayMs = Math.min(this.#backoff.initialMs * 2 ** failures, this.#backoff.maxMs);
    this.addAfter(key, delayMs);
    return delayMs;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  #push(key: string): void {
    this.#queue.push({ key, sinceMs: this.#clock.monotonicMs() });
    if (this.#takers.length > 0) this.#takers.shift()!(this.#shift());
    this.#metrics.depth?.(this.length);
  }

  #shift(): string {
    const { key, sinceMs } = this.#queue[this.#first++]!;
    if (this.#first === this.#queue.length || this.#first > 1_024) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
    const now = this.#clock.monotonicMs();
    this.#dirty.delete(key);
    this.#processing.set(key, now);
    this.#metrics.waited?.(now - sinceMs);
    this.#metrics.depth?.(this.length);
    return key;
  }
}
