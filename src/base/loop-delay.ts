import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";

/** The event loop's delay beyond what its measuring timer itself may be late, in seconds. */
export interface LoopDelay {
  p99S: number;
  maxS: number;
}

/** A timer this often while somebody looks, and none while nobody does. */
const resolutionMs = 1;
/** A scraper comes at least this often; without one, measuring ends. */
const watchedMs = 60_000;

/**
 * How long the event loop made work wait, between one reading and the next. A reading starts the measuring, so the
 * first one says nothing; after a minute without one it stops, and an idle process stays idle.
 */
export class LoopDelayMeter {
  #histogram: IntervalHistogram | undefined;
  #stop: NodeJS.Timeout | undefined;

  read(): LoopDelay {
    clearTimeout(this.#stop);
    this.#stop = setTimeout(() => this.close(), watchedMs).unref();
    if (!this.#histogram) {
      this.#histogram = monitorEventLoopDelay({ resolution: resolutionMs });
      this.#histogram.enable();
      return { p99S: 0, maxS: 0 };
    }
    const { max } = this.#histogram;
    const p99 = this.#histogram.percentile(99);
    this.#histogram.reset();
    return { p99S: beyondTimer(p99), maxS: beyondTimer(max) };
  }

  close(): void {
    clearTimeout(this.#stop);
    this.#histogram?.disable();
    this.#histogram = undefined;
  }
}

function beyondTimer(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000);
}
