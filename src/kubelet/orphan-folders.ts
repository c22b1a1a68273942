import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../base/index.ts";
import { KeptLogs } from "./garbage/kept-logs.ts";
import { Backoff } from "./worker/backoff.ts";
import type { PodVolumes } from "./worker/services.ts";
import { messageOf } from "./worker/start-error.ts";

/** The agent's start waits no longer for one pod's volumes: their driver may be away. */
const waitMsMax = 1_000;
const retryBackoff = { initialMs: 1_000, capMs: 122_000 };

export interface OrphanFoldersOptions {
  dir: string;
  volumes: PodVolumes;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Whether the pod is here, or with the API. */
  isKnown(podUid: string): boolean;
}

/** The folders of pods that are neither here nor with the API. */
export class OrphanFolders {
  readonly #options: OrphanFoldersOptions;
  readonly #underway = new Set<string>();
  readonly #logs: KeptLogs;

  constructor(options: OrphanFoldersOptions) {
    this.#options = options;
    this.#logs = new KeptLogs({ ...options, logsDir: join(options.dir, "logs") });
  }

  /** All the logs of pods that are gone, also those that would be kept for a while. */
  removeLogs(): Promise<void> {
    return this.#logs.removeAll();
  }

  /** Removes them. What cannot be taken down yet is tried again, after this has resolved. */
  async remove(): Promise<void> {
    const { clock, dir, isKnown } = this.#options;
    const [pods, memory] = await Promise.all(
      ["pods", "memory"].map((name) => readdir(join(dir, name)).catch(() => [] as string[])),
    );
    const uids = new Set([...pods!, ...memory!].filter((uid) => !isKnown(uid) && !this.#underway.has(uid)));
    const removals = [...uids].map((uid) => this.#removePod(uid));
    await this.#logs.sweep();
    await Promise.race([Promise.all(removals), clock.sleep(waitMsMax)]);
  }

  async #removePod(uid: string): Promise<void> {
    const { clock, dir, isKnown, log, signal, volumes } = this.#options;
    const backoff = new Backoff(retryBackoff);
    this.#underway.add(uid);
    while (!signal.aborted && !isKnown(uid)) {
      let wake = () => {};
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      try {
        await volumes.unmount(uid, wake);
        await rm(join(dir, "pods", uid), { recursive: true, force: true });
        break;
      } catch (error) {
        log.warn({ uid, error: messageOf(error) }, "folders of a pod long gone could not be removed yet");
        await Promise.race([woken, clock.sleep(backoff.next(), signal).catch(() => {})]);
      }
    }
    this.#underway.delete(uid);
  }
}
