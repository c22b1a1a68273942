import type { Clock, Log, Timer } from "../../base/index.ts";
import { Backoff } from "../worker/backoff.ts";
import { messageOf } from "../worker/start-error.ts";

/** As upstream's `exponentialbackoff`, between operations on one volume. */
const retryBackoff = { initialMs: 500, capMs: 122_000 };

/**
 * What nobody waits for, and what is tried until it succeeds.
 *
 * - One task a key runs at a time; starting it again makes it run now, or once more after it has run.
 * - What is left when this ends is found again by who looks at the disk.
 */
export class UntilDone {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failed: string;
  readonly #tasks = new Map<string, { timer?: Timer; isAgain: boolean; backoff: Backoff }>();
  #isClosed = false;

  /** `failed`: how the log says that it did not work this time. */
  constructor(options: { clock: Clock; log: Log; failed: string }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#failed = options.failed;
  }

  start(key: string, work: () => Promise<void>): void {
    if (this.#isClosed) return;
    const known = this.#tasks.get(key);
    if (known && !known.timer) {
      known.isAgain = true;
      return;
    }
    known?.timer?.cancel();
    const task = { isAgain: false, backoff: known?.backoff ?? new Backoff(retryBackoff) };
    this.#tasks.set(key, task);
    void this.#run(key, work);
  }

  async #run(key: string, work: () => Promise<void>): Promise<void> {
    const task = this.#tasks.get(key)!;
    try {
      await work();
      this.#tasks.delete(key);
      if (task.isAgain) this.start(key, work);
    } catch (error) {
      if (this.#isClosed) return;
      this.#log.warn({ key, error: messageOf(error) }, this.#failed);
      task.timer = this.#clock.after(task.backoff.next(), () => this.start(key, work));
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#tasks.values()) timer?.cancel();
    this.#tasks.clear();
  }
}
