import { rmSync } from "node:fs";
import { join } from "node:path";

/**
 * Where the engine keeps what. `dir` survives a reboot (records, writable layers); `runDir` is a tmpfs of the
 * engine's own, so that its mounts are private and a reboot forgets what it ended.
 */
export class Layout {
  readonly dir: string;
  readonly runDir: string;

  constructor(dir: string, runDir: string) {
    this.dir = dir;
    this.runDir = runDir;
  }

  /** What there is of sandboxes and containers. */
  get records(): string {
    return join(this.dir, "records.jsonl");
  }
  /** The lowest layers of every container: see {@link MountPointLayers}. */
  get mountPoints(): string {
    return join(this.dir, "mount-points");
  }
  get containerDirs(): string {
    return join(this.dir, "containers");
  }
  /** The writable layer of a container. */
  containerDir(id: string): string {
    return join(this.dir, "containers", id);
  }
  upper(id: string): string {
    return join(this.dir, "containers", id, "upper");
  }
  work(id: string): string {
    return join(this.dir, "containers", id, "work");
  }

  /** conmon writes `exits/ID` when a container has ended. */
  get exits(): string {
    return join(this.runDir, "exits");
  }
  /** crun's own state. */
  get runtimeRoot(): string {
    return join(this.runDir, "runtime");
  }
  get sandboxRunDirs(): string {
    return join(this.runDir, "sandboxes");
  }
  get bundles(): string {
    return join(this.runDir, "bundles");
  }
  /** A cgroup v1 hierarchy mounted here keeps its controller out of cgroup v2; see cgroups/hierarchies.ts. */
  get hierarchies(): string {
    return join(this.runDir, "cgroup");
  }
  /** Sockets over which the runtime passes an exec's terminal; apart, because a socket's path must be short. */
  get consoles(): string {
    return join(this.runDir, "tty");
  }
  sandboxRun(id: string): string {
    return join(this.runDir, "sandboxes", id);
  }
  namespace(sandboxId: string, kind: "net" | "ipc" | "uts" | "user"): string {
    return join(this.runDir, "sandboxes", sandboxId, kind);
  }
  shm(sandboxId: string): string {
    return join(this.runDir, "sandboxes", sandboxId, "shm");
  }
  resolvConf(sandboxId: string): string {
    return join(this.runDir, "sandboxes", sandboxId, "resolv.conf");
  }
  /** Folders and volumes of containers with users of their own; see mapped.ts. */
  get allMapped(): string {
    return join(this.runDir, "mapped");
  }
  mapped(containerId: string): string {
    return join(this.runDir, "mapped", containerId);
  }
  bundle(id: string): string {
    return join(this.runDir, "bundles", id);
  }
  rootfs(id: string): string {
    return join(this.runDir, "bundles", id, "rootfs");
  }
  /** Its presence says that the container's process waits for its start; crun's and runc's own file. */
  execFifo(id: string): string {
    return join(this.runtimeRoot, id, "exec.fifo");
  }
  exitFile(id: string): string {
    return join(this.runDir, "exits", id);
  }
}

/**
 * Removes files and folders in `runDir`, with what is below. They are memory: a synchronous call costs a few µs, less
 * than the way through the thread pool.
 */
export function removeInMemory(paths: readonly string[]): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}
