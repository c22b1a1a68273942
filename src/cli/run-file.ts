import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import type { DataDir } from "./data-dir.ts";

/** The record a running cluster keeps of its process. */
export interface RunFile {
  pid: number;
  /** Guards against another process that got the same pid: field 22 of `/proc/PID/stat`. */
  startTicks: string;
  port: number;
  url: string;
  /** Set once it is ready. */
  readyAt?: string;
}

export function writeRunFile(dir: DataDir, record: RunFile): void {
  writeFileSync(`${dir.run}.tmp`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(`${dir.run}.tmp`, dir.run);
}

export function removeRunFile(dir: DataDir): void {
  rmSync(dir.run, { force: true });
}

/** The record of a process that is alive, or undefined. */
export function runningProcess(dir: DataDir): RunFile | undefined {
  let record: RunFile;
  try {
    record = JSON.parse(readFileSync(dir.run, "utf8")) as RunFile;
  } catch {
    return undefined;
  }
  return startTicksOf(record.pid) === record.startTicks ? record : undefined;
}

/** When a process started, in clock ticks since boot; undefined when there is none. */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the name, may hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
