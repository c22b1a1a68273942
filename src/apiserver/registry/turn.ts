import type { Clock } from "../../base/index.ts";
import { turnMsMax } from "../limits.ts";

/** How often the clock is asked: reading it costs more than looking at a label. */
const stepsPerLook = 16;

/** The part of the event loop's time that one request may take before others have theirs. */
export class Turn {
  readonly #clock: Clock;
  #startMs: number;
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  get isOver(): boolean {
    return ++this.#steps % stepsPerLook === 0 && this.#clock.monotonicMs() - this.#startMs > turnMsMax;
  }

  async yield(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#startMs = this.#clock.monotonicMs();
  }
}
