import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Another process has the directory open. */
export class DirectoryLockedError extends Error {
  override name = "DirectoryLockedError";
  /** Unknown when the other process has not written it yet. */
  readonly pid: number | undefined;
  constructor(dir: string, pid: number | undefined) {
    super(`${dir} is in use by ${pid === undefined ? "another process" : `process ${pid}`}`);
    this.pid = pid;
  }
}

/**
 * Holds a directory for this process until it ends, however it ends. Throws {@link DirectoryLockedError}.
 *
 * `flock` ties a lock to an open file, not to the process that asked for it; so util-linux's `flock`
 * (on every Debian) can take it on a descriptor of ours and leave. A pid in a file alone could be
 * that of another process by now, or of one in another container.
 */
export function lockDirectory(dir: string): { release(): void } {
  const fd = openSync(join(dir, "lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  const { status, error, stderr } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "pipe", fd],
  });
  if (status === 0) {
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
    return { release: () => closeSync(fd) };
  }
  const pid = Number.parseInt(readFileSync(join(dir, "lock"), "utf8"), 10);
  closeSync(fd);
  // As flock(1): 1 is a lock that another one holds.
  if (status === 1) throw new DirectoryLockedError(dir, Number.isNaN(pid) ? undefined : pid);
  throw new Error(`cannot lock ${dir}: flock: ${error?.message ?? stderr.toString().trim()}`);
}
