import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { readProcessStat, startTicksOf } from "../../base/index.ts";
import type { ProcessIdentity } from "./records.ts";

/** Who runs as `pid` now; `undefined` when nobody does. */
export function identify(pid: number): ProcessIdentity | undefined {
  const stat = readProcessStat(pid);
  return stat && { pid, startTicks: stat.startTicks };
}

/** Whether this very process still runs: a zombie has ended. */
export function isAlive(process: ProcessIdentity): boolean {
  return startTicksOf(process.pid) === process.startTicks;
}

/** Signals this very process; `false` when it has ended. Between check and signal a pid is not given out again: pids go round. */
export function signalProcess(target: ProcessIdentity, signal: number | NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Kills the process that a pid file names, if its command line or its cgroup still speaks of `id`. */
export async function killNamed(pidFile: string, id: string): Promise<void> {
  const pid = Number(await readFile(pidFile, "utf8").catch(() => ""));
  if (!(pid > 1)) return;
  const [command, cgroup] = await Promise.all(
    ["cmdline", "cgroup"].map((file) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")),
  );
  if (!command!.includes(id) && !cgroup!.includes(id)) return;
  const target = identify(pid);
  if (target) signalProcess(target, "SIGKILL");
}

/** Of this boot; pids and start times mean nothing in another. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
