import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import type { Clock } from "../../../base/index.ts";

/**
 * Cgroup files are memory: a synchronous call costs 20–60 µs, less than the way through the thread pool.
 */
export function writeCgroupFile(path: string, value: string): void {
  writeFileSync(path, value);
}

export function readCgroupFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export function makeCgroup(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** `NAME VALUE` lines. */
export function keyedValue(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith(`${name} `)) return Number(line.slice(name.length + 1));
  }
  return undefined;
}

/** The processes in a cgroup and below it. */
export function processesBelow(path: string): number[] {
  const own = (readCgroupFile(`${path}/cgroup.procs`) ?? "").split("\n").filter(Boolean).map(Number);
  return [...own, ...childrenOf(path).flatMap((child) => processesBelow(child))];
}

function childrenOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${path}/${entry.name}`);
  } catch {
    return [];
  }
}

/** The cgroups below `path`, as paths relative to `mount`, deepest first. */
export function cgroupsBelow(mount: string, path: string): string[] {
  return childrenOf(`${mount}/${path}`).flatMap((child) => {
    const relative = child.slice(mount.length + 1);
    return [...cgroupsBelow(mount, relative), relative];
  });
}

/** Rounds of killing: a process may fork between the list and the signal, but not faster than this for ever. */
const killRoundsMax = 100;
const killPauseMs = 2;

export async function killBelow(path: string, clock: Clock): Promise<void> {
  for (let round = 0; round < killRoundsMax; round++) {
    const pids = processesBelow(path).filter((pid) => pid > 1);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended on its own.
      }
    }
    await clock.sleep(killPauseMs);
  }
}

/** Removes a cgroup and what is below it; a cgroup that is gone is fine. */
export async function removeBelow(path: string, clock: Clock): Promise<void> {
  if (removeTree(path)) return;
  await killBelow(path, clock);
  // A killed process leaves its cgroup a moment after it has left the list.
  for (let round = 0; round < killRoundsMax; round++) {
    if (removeTree(path)) return;
    await clock.sleep(killPauseMs);
  }
}

export function removeIfEmpty(path: string): void {
  removeTree(path);
}

function removeTree(path: string): boolean {
  // Most have no others below: looking costs more than trying.
  if (removeOne(path)) return true;
  for (const child of childrenOf(path)) if (!removeTree(child)) return false;
  return removeOne(path);
}

function removeOne(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
