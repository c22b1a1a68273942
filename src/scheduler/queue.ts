import type { Clock, Timer } from "../base/index.ts";

/**
 * Pods that wait for a node. Counterpart upstream: `backend/queue.PriorityQueue`.
 *
 * - `pop` gives the one of highest priority, and among equals the one that came first.
 * - A pod that did not fit waits until something changed (`wake`), and at least its back-off:
 *   1 s after the first failure, doubling to 10 s.
 * - A pod is in the queue once, whatever is called how often.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  /** Keys by priority, each set in order of arrival. Few priorities, so finding the highest is cheap. */
  readonly #active = new Map<number, Set<string>>();
  readonly #parked = new Map<string, Parked>();

  constructor(options: { clock: Clock; onReady: () => void }) {
    this.#clock = options.clock;
    this.#onReady = options.onReady;
  }

  add(key: string, priority: number): void {
    this.#unpark(key);
    let keys = this.#active.get(priority);
    if (!keys) {
      keys = new Set();
      this.#active.set(priority, keys);
    }
    keys.add(key);
    this.#onReady();
  }

  pop(): string | undefined {
    if (this.#active.size === 0) return undefined;
    const priority = Math.max(...this.#active.keys());
    const keys = this.#active.get(priority)!;
    const [first] = keys;
    keys.delete(first!);
    if (keys.size === 0) this.#active.delete(priority);
    return first;
  }

  /** `attempts`: how often it failed so far, at least 1. */
  park(key: string, priority: number, attempts: number): void {
    this.#unpark(key);
    const backoffMs = Math.min(backoffMsInitial * 2 ** (attempts - 1), backoffMsMax);
    const parked: Parked = { priority, attempts, dueMs: this.#clock.monotonicMs() + backoffMs, woken: false };
    this.#parked.set(key, parked);
  }

  attemptsOf(key: string): number {
    return this.#parked.get(key)?.attempts ?? this.#attempts.get(key) ?? 0;
  }
  /** Survives leaving the parking lot, so that the back-off goes on growing. */
  readonly #attempts = new Map<string, number>();

  /** Something changed that may make room: every parked pod is tried again, when its back-off is over. */
  wake(): void {
    for (const [key, parked] of this.#parked) {
      if (parked.woken) continue;
      parked.woken = true;
      const waitMs = parked.dueMs - this.#clock.monotonicMs();
      if (waitMs <= 0) this.#activate(key, parked);
      else parked.timer = this.#clock.after(waitMs, () => this.#activate(key, parked));
    }
  }

  remove(key: string): void {
    for (const [priority, keys] of this.#active) {
      if (keys.delete(key) && keys.size === 0) this.#active.delete(priority);
    }
    this.#unpark(key);
    this.#attempts.delete(key);
  }

  #activate(key: string, parked: Parked): void {
    if (this.#parked.get(key) !== parked) return;
    this.#attempts.set(key, parked.attempts);
    this.add(key, parked.priority);
  }

  #unpark(key: string): void {
    const parked = this.#parked.get(key);
    if (!parked) return;
    parked.timer?.cancel();
    this.#parked.delete(key);
  }
}

interface Parked {
  priority: number;
  attempts: number;
  dueMs: number;
  woken: boolean;
  timer?: Timer;
}

/** As upstream's `DefaultPodInitialBackoffDuration` and `DefaultPodMaxBackoffDuration`. */
const backoffMsInitial = 1_000;
const backoffMsMax = 10_000;
