import { readFileSync } from "node:fs";

/** The kernel tells processor time in these, whatever its own tick is. */
export const nsPerTick = 10_000_000;

export interface ProcessStat {
  /** `R`, `S`, … `Z` for a zombie. */
  state: string;
  /** When it started, in clock ticks since boot: with the pid, this very process until the next boot. */
  startTicks: string;
}

/** Of `/proc/PID/stat`; undefined when there is no such process. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field, the name, may hold spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0]!, startTicks: fields[19]! };
  } catch {
    return undefined;
  }
}

/** When the process that runs as `pid` started; undefined when none does: a zombie has ended. */
export function startTicksOf(pid: number): string | undefined {
  const stat = readProcessStat(pid);
  return stat === undefined || stat.state === "Z" || stat.state === "X" ? undefined : stat.startTicks;
}
