import { thresholdAmount } from "../config/thresholds.ts";
import type { Threshold } from "./thresholds.ts";
import type { Observations } from "./usage.ts";

/** As upstream's monitoring interval. */
export const lookMsMax = 10_000;
/** A look costs a few reads of /proc: four a second are nothing, and a node that short of memory has no more urgent work. */
const lookMsMin = 250;
/** As fast as a few processes fill memory when they try. */
const fillBytesPerMs = 2 ** 30 / 1_000;

/**
 * When to look again: before memory can have run out, were it filled from now on. Upstream has the kernel say when its
 * threshold is crossed; this needs no such notice, and works where the kernel gives none.
 */
export function nextLookMs(thresholds: readonly Threshold[], observations: Observations): number {
  const roomBytes = thresholds
    .filter(({ signal }) => signal === "memory.available" || signal === "allocatableMemory.available")
    .map(({ signal, value }) => {
      const observed = observations.get(signal);
      if (!observed) return Number.POSITIVE_INFINITY;
      return observed.available - thresholdAmount(value, observed.capacity);
    })
    // What is crossed already is being dealt with.
    .filter((room) => room > 0);
  return Math.min(Math.max(Math.min(...roomBytes) / fillBytesPerMs, lookMsMin), lookMsMax);
}
