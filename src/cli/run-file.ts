import { readFileSync, rmSync } from "node:fs";
import { replaceFile, startTicksOf } from "../base/index.ts";
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
  replaceFile(dir.run, `${JSON.stringify(record)}\n`, { mode: 0o600 });
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
