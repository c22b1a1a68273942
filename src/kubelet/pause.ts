import type { Clock } from "../base/index.ts";

/** The pause between two rounds of a loop, which something may end before its time; a wake during a round counts too. */
export class Pause {
  readonly #clock: Clock;
  #isWoken = false;
  #end: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    this.#isWoken = true;
    this.#end();
  }

  /** Resolves after `ms`, when woken, or with the signal. */
  async take(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#isWoken && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = () => {
          timer.cancel();
          signal.removeEventListener("abort", end);
          resolve();
        };
        const timer = this.#clock.after(ms, end);
        signal.addEventListener("abort", end, { once: true });
        this.#end = end;
      });
      this.#end = () => {};
    }
    this.#isWoken = false;
  }
}
