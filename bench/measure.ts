/** Medians and the like, of samples in any unit. */
export function percentile(samples: readonly number[], fraction: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))]!;
}
export const median = (samples: readonly number[]) => percentile(samples, 0.5);

/** One row of the result: what was measured, what came out, what it is held against. */
export interface Row {
  what: string;
  result: string;
  target: string;
  met: boolean;
}

export const ms = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
export const perSecond = (value: number) => `${Math.round(value).toLocaleString("en")}/s`;
export const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;

export function printTable(rows: readonly Row[]): void {
  console.log("| what | measured | target | |\n|---|---|---|---|");
  for (const row of rows)
    console.log(`| ${row.what} | ${row.result} | ${row.target} | ${row.met ? "met" : "MISSED"} |`);
}

/** How long `work` takes, in milliseconds. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Runs `work(i)` for 0…count-1, at most `width` at once. */
export async function parallel(
  count: number,
  width: number,
  work: (i: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++);
    }),
  );
}
