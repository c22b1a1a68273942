import type { Clock } from "../../base/index.ts";

/**
 * Until when something is not tried again, on the clock that plans are made by. A clock that is set back makes nobody
 * wait longer: then it is tried at once.
 */
export class RetryTime {
  readonly #clock: Clock;
  #fromMs = 0;
  #untilMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wait(ms: number): void {
    this.#fromMs = this.#clock.now();
    this.#untilMs = this.#fromMs + ms;
  }

  clear(): void {
    this.#untilMs = undefined;
  }

  /** Undefined: now. */
  get untilMs(): number | undefined {
    return this.#clock.now() < this.#fromMs ? undefined : this.#untilMs;
  }
}
