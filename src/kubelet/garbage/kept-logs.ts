import { readdir, rm, rmdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Log } from "../../base/index.ts";
import type { ContainerTarget } from "../../client/index.ts";
import { measureDisk } from "../eviction/disk-meter.ts";
import { messageOf } from "../worker/start-error.ts";

/** What is kept of pods that are gone. Upstream's logs go at the next round of its collector, within a minute. */
export const keptLogsLimits = {
  /** Long enough to look why a pod ended that is gone already. */
  ageMsMax: 600_000,
  /** Of all together, as they take room on the disk: one long log, rotated, is 50 MiB by default. */
  bytesMax: 128 << 20,
  /** Pods that come and go all the time leave no endless list. */
  podsMax: 1_000,
};

export interface KeptLogsOptions {
  /** A folder a pod, by `NAMESPACE_NAME_UID`. */
  logsDir: string;
  clock: Pick<Clock, "now">;
  log: Log;
  limits?: typeof keptLogsLimits;
  /** Whether the pod is here, and its logs are its own affair. */
  isKnown(podUid: string): boolean;
}

/** The logs of a pod that is gone are kept from now on; a folder without any goes at once. */
export async function keepLogs(folder: string, nowMs: number): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") return;
    // The folder's own time says how long its pod has been gone, to this agent and to later ones.
    await utimes(folder, nowMs / 1_000, nowMs / 1_000);
  }
}

/** The log of a container's last attempt, or of the one before it, of a pod that is gone; undefined where none is kept. */
export async function keptLog(
  logsDir: string,
  { namespace, name, uid, container }: ContainerTarget,
  which: "last" | "previous",
): Promise<string | undefined> {
  const folder = join(logsDir, `${namespace}_${name}_${uid}`, container);
  const names = await readdir(folder).catch(() => [] as string[]);
  const attempts = names.flatMap((file) => /^(\d+)\.log$/.exec(file)?.[1] ?? []).map(Number);
  const attempt = attempts.sort((a, b) => b - a)[which === "last" ? 0 : 1];
  return attempt === undefined ? undefined : join(folder, `${attempt}.log`);
}

/** The logs of pods that are gone: for a while, and not too many. */
export class KeptLogs {
  readonly #options: KeptLogsOptions;

  constructor(options: KeptLogsOptions) {
    this.#options = options;
  }

  /** Removes those of pods that have been gone too long; of the rest, those gone longest go where there are too many. */
  async sweep(): Promise<void> {
    const { clock, limits = keptLogsLimits } = this.#options;
    const kept = await this.#kept();
    // Of the future: the clock was set back, and how long they have been here is not known.
    const isDue = ({ goneAtMs }: Kept) => Math.abs(clock.now() - goneAtMs) > limits.ageMsMax;
    const rest = kept.filter((each) => !isDue(each)).sort((a, b) => b.goneAtMs - a.goneAtMs);
    const sizes = await measureDisk(rest.map(({ folder }) => folder));
    let bytes = 0;
    const tooMany = rest.filter(({ folder }, i) => {
      bytes += sizes.get(folder)?.bytes ?? 0;
      return i >= limits.podsMax || bytes > limits.bytesMax;
    });
    await this.#remove([...kept.filter(isDue), ...tooMany]);
  }

  /** All of them: the node's disk is needed for pods that are there. */
  async removeAll(): Promise<void> {
    await this.#remove(await this.#kept());
  }

  async #kept(): Promise<Kept[]> {
    const { isKnown, logsDir } = this.#options;
    const names = await readdir(logsDir).catch(() => [] as string[]);
    const found = names
      .map((name) => ({ uid: name.slice(name.lastIndexOf("_") + 1), folder: join(logsDir, name) }))
      .filter(({ uid }) => !isKnown(uid))
      .map(async (each) => {
        const info = await stat(each.folder).catch(() => undefined);
        return info ? [{ ...each, goneAtMs: info.mtimeMs }] : [];
      });
    return (await Promise.all(found)).flat();
  }

  async #remove(kept: readonly Kept[]): Promise<void> {
    const { isKnown, log } = this.#options;
    for (const { uid, folder } of kept) {
      // A static pod may have come back meanwhile.
      if (isKnown(uid)) continue;
      await rm(folder, { recursive: true, force: true }).catch((error) =>
        log.warn({ error: messageOf(error) }, "the logs of a pod long gone could not be removed"),
      );
    }
  }
}

interface Kept {
  uid: string;
  folder: string;
  goneAtMs: number;
}
