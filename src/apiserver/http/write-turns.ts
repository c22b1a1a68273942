import { writesPerTurnMax } from "../limits.ts";

/**
 * Spreads writes that arrive together over turns of the event loop: a burst on many connections would otherwise be
 * decoded and validated in one go, while everything else waits. In order of arrival.
 */
export class WriteTurns {
  #begun = 0;
  #isArmed = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when the write may begin; at once, while the turn has room. */
  next(): Promise<void> | undefined {
    this.#arm();
    if (this.#begun < writesPerTurnMax && this.#waiting.length === 0) {
      this.#begun++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #arm(): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    setImmediate(() => {
      this.#isArmed = false;
      const begin = this.#waiting.splice(0, writesPerTurnMax);
      this.#begun = begin.length;
      // Armed again from here, so that sockets and timers come first.
      if (begin.length > 0) this.#arm();
      for (const resolve of begin) resolve();
    });
  }
}
