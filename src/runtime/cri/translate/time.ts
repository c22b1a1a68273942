const nsPerMs = 1_000_000;

/** CRI's times are nanoseconds since the epoch. */
export const toNs = (ms: number | undefined) => (ms === undefined ? 0 : ms * nsPerMs);
/** Rounded: as a number, such a time is exact to 256 ns. */
export const fromNs = (ns: number) => Math.round(ns / nsPerMs);
