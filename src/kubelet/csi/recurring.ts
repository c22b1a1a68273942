import type { Clock, Log, Timer } from "../../base/index.ts";
import { messageOf } from "../worker/start-error.ts";

/** As often as upstream's kubelet looks at a pod again that does not change. */
const periodMsDefault = 60_000;

interface Kept {
  timer: Timer;
  running: AbortController;
}

/**
 * What is done again and again. For mounted volumes, each by where it is mounted: drivers that want it are asked to
 * publish again, and a node may only look at a claim, not watch it. For drivers by name: they are asked about the node.
 */
export class Recurring {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #failed: string;
  readonly #kept = new Map<string, Kept>();

  /** `failed`: how the log says that it did not work this time. */
  constructor(options: { clock: Clock; log: Log; failed: string }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#failed = options.failed;
  }

  /** What is kept already is from now on kept by this. */
  keep(
    target: string,
    work: (signal: AbortSignal) => Promise<void>,
    periodMs: number = periodMsDefault,
  ): void {
    this.drop(target);
    const running = new AbortController();
    const again = (): Timer =>
      this.#clock.after(periodMs, () => {
        void work(running.signal)
          .catch((error) => {
            // What is mounted stays: the pod goes on with what it has.
            if (!running.signal.aborted) this.#log.warn({ target, error: messageOf(error) }, this.#failed);
          })
          .finally(() => {
            if (!running.signal.aborted) kept.timer = again();
          });
      });
    const kept: Kept = { timer: again(), running };
    this.#kept.set(target, kept);
  }

  drop(target: string): void {
    const kept = this.#kept.get(target);
    kept?.timer.cancel();
    kept?.running.abort(new Error("it is not wanted any more"));
    this.#kept.delete(target);
  }

  close(): void {
    for (const target of [...this.#kept.keys()]) this.drop(target);
  }
}
