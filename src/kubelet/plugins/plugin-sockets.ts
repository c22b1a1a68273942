import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log, Timer } from "../../base/index.ts";

/** Where the kernel has no watches left, it is looked this often. */
const lookMs = 5_000;
/** Sockets of plugins come one by one; so many folders are a mistake of somebody's. */
const foldersMax = 64;

export interface PluginSocketsOptions {
  dir: string;
  clock: Clock;
  log: Log;
  /** `identity` tells a socket from one that took its place. */
  onFound(path: string, identity: string): void;
  onGone(path: string): void;
}

/**
 * The sockets in a folder and those below it, as they come and go. What begins with a dot is left alone.
 * Counterpart upstream: `pkg/kubelet/pluginmanager/pluginwatcher`.
 */
export class PluginSockets {
  readonly #options: PluginSocketsOptions;
  readonly #sockets = new Map<string, string>();
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #isStale = false;
  #isClosed = false;

  constructor(options: PluginSocketsOptions) {
    this.#options = options;
  }

  /** Resolves when what is there now has been found. */
  async start(): Promise<void> {
    await mkdir(this.#options.dir, { recursive: true, mode: 0o755 });
    this.#look();
    await this.#looking;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** One look at a time; one more when something happened meanwhile. */
  #look(): void {
    this.#isStale = true;
    this.#looking ??= this.#lookUntilFresh().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookUntilFresh(): Promise<void> {
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      const folders = [this.#options.dir];
      const seen = new Map<string, string>();
      for (const folder of folders) await this.#lookAt(folder, folders, seen);
      if (this.#isClosed) return;
      for (const [folder, watcher] of this.#watchers) {
        if (folders.includes(folder)) continue;
        watcher.close();
        this.#watchers.delete(folder);
      }
      this.#tell(seen);
    }
  }

  /** Watched before it is read, so that nothing can come unseen in between. */
  async #lookAt(folder: string, folders: string[], seen: Map<string, string>): Promise<void> {
    this.#watch(folder);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (entry.name.startsWith(".")) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory() && folders.length < foldersMax) folders.push(path);
      if (!entry.isSocket()) continue;
      const found = await stat(path, { bigint: true }).catch(() => undefined);
      if (found?.isSocket()) seen.set(path, `${found.ino}@${found.ctimeNs}`);
    }
  }

  #watch(folder: string): void {
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, () => this.#look());
      watcher.on("error", () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#look();
      });
      this.#watchers.set(folder, watcher);
    } catch (error) {
      this.#options.log.debug({ error: String(error), folder }, "a folder of plugins cannot be watched");
      this.#timer?.cancel();
      this.#timer = this.#options.clock.after(lookMs, () => this.#look());
    }
  }

  #tell(seen: ReadonlyMap<string, string>): void {
    const { onFound, onGone } = this.#options;
    for (const [path, identity] of [...this.#sockets]) {
      if (seen.get(path) === identity) continue;
      this.#sockets.delete(path);
      onGone(path);
    }
    for (const [path, identity] of seen) {
      if (this.#sockets.has(path)) continue;
      this.#sockets.set(path, identity);
      onFound(path, identity);
    }
  }
}
