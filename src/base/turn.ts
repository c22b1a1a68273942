import type { Clock } from "./clock.ts";

/** How long one piece of long work may hold the event loop before others have their turn, in milliseconds. */
const turnMsMax = 2;
/** How often the clock is asked: reading it costs more than most steps. */
const stepsPerLook = 16;

/** Who waits for a turn, of the whole process: it has one event loop. */
const waiting: (() => void)[] = [];

/**
 * The part of the event loop's time that one piece of long work (a list, a thousand watchers) takes at once.
 *
 * - Work that yields goes on in one of the next turns of the loop, in order of arrival.
 * - A turn of the loop has one such piece, however many are under way: so a request never waits for all of them.
 */
export class Turn {
  readonly #clock: Clock;
  #startMs: number;
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  /** To be asked before each step. */
  get isOver(): boolean {
    return ++this.#steps % stepsPerLook === 0 && this.#clock.monotonicMs() - this.#startMs > turnMsMax;
  }

  async yield(): Promise<void> {
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 1) setImmediate(next);
    });
    this.#startMs = this.#clock.monotonicMs();
  }
}

function next(): void {
  const goOn = waiting.shift();
  if (waiting.length > 0) setImmediate(next);
  goOn?.();
}
