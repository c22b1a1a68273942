import type { Clock } from "./clock.ts";

/** So often is looked: memory that is given back a minute later is early enough. */
const everyMs = 60_000;
/** Less is not worth the milliseconds that it takes, and is soon used again. */
const worthBytes = 16 * 2 ** 20;

export interface GiveBackOptions {
  clock: Pick<Clock, "sleep">;
  /** What is held outside of JavaScript's heap now. */
  usedBytes(): number;
  /** Gives what was freed back to the system. */
  trim(): Promise<void>;
}

/**
 * Memory that was freed outside of JavaScript's heap stays with libc, between pieces that are still in use: after a
 * storm of pods the process would look as large as at its height. Resolves at the signal.
 */
export async function giveBackMemory(options: GiveBackOptions, signal: AbortSignal): Promise<void> {
  const { clock, trim, usedBytes } = options;
  let mostBytes = usedBytes();
  while (!signal.aborted) {
    await clock.sleep(everyMs, signal).catch(() => {});
    if (signal.aborted) return;
    const used = usedBytes();
    mostBytes = Math.max(mostBytes, used);
    if (mostBytes - used < worthBytes) continue;
    await trim();
    mostBytes = used;
  }
}
