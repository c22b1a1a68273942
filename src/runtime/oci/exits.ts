import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { readdir } from "node:fs/promises";
import type { Log } from "../../base/index.ts";
import type { Layout } from "./layout.ts";

export interface ContainerExit {
  code: number;
  finishedAtMs: number;
}

/**
 * Sees containers end, without polling: conmon writes `exits/ID` with the exit code, and inotify tells.
 *
 * - `listener` is called at least once for every file, also for those that were there before.
 * - After an overflow of the kernel's queue the folder is read again.
 */
export class ExitWatcher {
  readonly #layout: Layout;
  readonly #listener: (containerId: string) => void;
  readonly #log: Log;
  #watcher: FSWatcher | undefined;

  constructor(layout: Layout, listener: (containerId: string) => void, log: Log) {
    this.#layout = layout;
    this.#listener = listener;
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#watch();
    await this.#rescan();
  }

  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #watch(): void {
    this.#watcher = watch(this.#layout.exits, (_event, name) => {
      // A name with a dot is glib's temporary file, about to be renamed.
      if (name && !name.includes(".")) this.#listener(name);
      else if (!name) void this.#rescan();
    });
    this.#watcher.on("error", (error) => {
      this.#log.error({ error }, "the watch on container exits failed; starting another");
      this.#watcher?.close();
      this.#watch();
      void this.#rescan();
    });
  }

  async #rescan(): Promise<void> {
    for (const name of await readdir(this.#layout.exits)) if (!name.includes(".")) this.#listener(name);
  }
}

/** What conmon left of an ended container; `undefined` while it runs. */
export function readExit(layout: Layout, containerId: string): ContainerExit | undefined {
  const path = layout.exitFile(containerId);
  try {
    const code = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isNaN(code) ? undefined : { code, finishedAtMs: Math.round(statSync(path).mtimeMs) };
  } catch {
    return undefined;
  }
}
