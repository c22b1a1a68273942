import type { Clock, Timer } from "../base/index.ts";
import type { ClusterChange } from "./filter/index.ts";

/**
 * Pods that wait for a node. Counterpart upstream: `backend/queue.PriorityQueue`.
 *
 * - `pop` gives the one of highest priority, and among equals the one that came first.
 * - A pod that did not fit waits until something changed that its refusals were about (`wake`), and at least its
 *   back-off: 1 s after the first failure, doubling to 10 s. After {@link parkedMsMax} it is tried in any case.
 * - The back-off keeps many pods from being tried all the time: where only few wait ({@link eagerMax}), and no other pod
 *   is there to be placed, they need not wait for its end. As upstream's `SchedulerPopFromBackoffQ`.
 * - A pod is in the queue once, whatever is called how often.
 */
export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  /** Keys by priority, each set in order of arrival. Few priorities, so finding the highest is cheap. */
  readonly #active = new Map<number, Set<string>>();
  readonly #parked = new Map<string, Parked>();
  /** Keys of pods that may skip the rest of their back-off. */
  readonly #eager = new Set<string>();
  /** Survives leaving the parking lot, so that the back-off goes on growing. */
  readonly #attempts = new Map<string, number>();

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
    if (this.#active.size === 0) return this.#popEager();
    const priority = Math.max(...this.#active.keys());
    const keys = this.#active.get(priority)!;
    const [first] = keys;
    keys.delete(first!);
    if (keys.size === 0) this.#active.delete(priority);
    return first;
  }

  #popEager(): string | undefined {
    let best: string | undefined;
    for (const key of this.#eager) {
      const parked = this.#parked.get(key);
      if (!parked?.woken) this.#eager.delete(key);
      else if (best === undefined || parked.priority > this.#parked.get(best)!.priority) best = key;
    }
    if (best !== undefined) this.#unpark(best);
    return best;
  }

  /** It failed once more. */
  park(key: string, priority: number, wait: Wait): void {
    this.#unpark(key);
    const attempts = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempts);
    const backoffMs =
      wait.backoff === "none" ? 0 : Math.min(backoffMsInitial * 2 ** (attempts - 1), backoffMsMax);
    const parked: Parked = {
      priority,
      wakesOn: wait.wakesOn,
      backoff: wait.backoff,
      dueMs: this.#clock.monotonicMs() + backoffMs,
      woken: false,
      timer: this.#clock.after(parkedMsMax, () => this.#activate(key, parked)),
    };
    this.#parked.set(key, parked);
    if (wait.wakesOn === "time") this.#wake(key, parked);
  }

  /** Something changed: every parked pod that waits for such a thing is tried again, when its back-off is over. */
  wake(change: ClusterChange): void {
    const early: string[] = [];
    for (const [key, parked] of this.#parked) {
      if (parked.wakesOn === "time" || !parked.wakesOn.has(change)) continue;
      this.#wake(key, parked);
      if (this.#parked.has(key) && parked.backoff === "when busy") early.push(key);
    }
    if (early.length === 0 || early.length > eagerMax) return;
    for (const key of early) this.#eager.add(key);
    this.#onReady();
  }

  remove(key: string): void {
    for (const [priority, keys] of this.#active) {
      if (keys.delete(key) && keys.size === 0) this.#active.delete(priority);
    }
    this.#unpark(key);
    this.#attempts.delete(key);
  }

  #wake(key: string, parked: Parked): void {
    if (parked.woken) return;
    parked.woken = true;
    const waitMs = parked.dueMs - this.#clock.monotonicMs();
    if (waitMs <= 0) {
      this.#activate(key, parked);
      return;
    }
    parked.timer.cancel();
    parked.timer = this.#clock.after(waitMs, () => this.#activate(key, parked));
  }

  #activate(key: string, parked: Parked): void {
    if (this.#parked.get(key) === parked) this.add(key, parked.priority);
  }

  #unpark(key: string): void {
    this.#parked.get(key)?.timer.cancel();
    this.#parked.delete(key);
  }
}

export interface Wait {
  /** What may help; `time` alone, where it was not the cluster that refused. */
  wakesOn: ReadonlySet<ClusterChange> | "time";
  /**
   * `when busy` for a pod that did not fit; `growing` for one that fitted and failed then, which trying sooner does not
   * help; `none` for a pod for which others have been pushed aside: the room is its own.
   */
  backoff: "when busy" | "growing" | "none";
}

interface Parked {
  priority: number;
  wakesOn: Wait["wakesOn"];
  backoff: Wait["backoff"];
  dueMs: number;
  woken: boolean;
  timer: Timer;
}

/** As upstream's `DefaultPodInitialBackoffDuration` and `DefaultPodMaxBackoffDuration`. */
const backoffMsInitial = 1_000;
const backoffMsMax = 10_000;
/** With more, each change would cost as many decisions. */
const eagerMax = 64;
/** As upstream's `DefaultPodMaxInUnschedulablePodsDuration`: for what no change tells of. */
const parkedMsMax = 5 * 60_000;
