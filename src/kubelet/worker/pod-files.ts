import { existsSync } from "node:fs";
import { mkdir, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { keepLogs } from "../garbage/kept-logs.ts";
import type { PodFiles } from "./services.ts";

/** Where pods keep what is theirs on this node. */
export interface PodDirs {
  /** `DIR/pods`, a folder a pod by uid. */
  podsDir: string;
  /** `DIR/logs`, a folder a pod by `NAMESPACE_NAME_UID`. */
  logsDir: string;
}

export function podLogDir({ logsDir }: Pick<PodDirs, "logsDir">, { metadata }: corev1.Pod): string {
  return join(logsDir, `${metadata.namespace}_${metadata.name}_${metadata.uid}`);
}

/** The folders of this node's pods. */
export class PodFolders implements PodFiles {
  readonly #dirs: PodDirs;
  readonly #clock: Pick<Clock, "now">;
  readonly #prepared = new Map<string, Promise<void>>();

  constructor(dirs: PodDirs, clock: Pick<Clock, "now">) {
    this.#dirs = dirs;
    this.#clock = clock;
  }

  prepare(pod: corev1.Pod): Promise<void> {
    const uid = pod.metadata.uid!;
    const known = this.#prepared.get(uid);
    if (known) return known;
    const made = this.#make(pod).catch((error) => {
      this.#prepared.delete(uid);
      throw error;
    });
    this.#prepared.set(uid, made);
    return made;
  }

  async #make(pod: corev1.Pod): Promise<void> {
    const logDir = podLogDir(this.#dirs, pod);
    const own = join(this.#dirs.podsDir, pod.metadata.uid!);
    const isNew = (await mkdir(own, { recursive: true, mode: 0o750 })) !== undefined;
    const made = await mkdir(logDir, { recursive: true, mode: 0o755 });
    if (!isNew || made !== undefined) return;
    // Kept of a static pod that was gone, and comes back with the same uid: its attempts count from 0 again.
    await rm(logDir, { recursive: true, force: true });
    await mkdir(logDir, { mode: 0o755 });
  }

  /** With what rotation made of it; the container's folder goes with the last of its logs. */
  async removeContainerLog(logPath: string): Promise<void> {
    const folder = dirname(logPath);
    const names = await readdir(folder).catch(() => [] as string[]);
    const own = names.filter(
      (name) => name === basename(logPath) || name.startsWith(`${basename(logPath)}.`),
    );
    await Promise.all(own.map((name) => rm(join(folder, name), { force: true })));
    if (own.length === names.length) await rmdir(folder).catch(() => {});
  }

  /** Its logs are kept for a while, see {@link keepLogs}. */
  async remove(pod: corev1.Pod): Promise<void> {
    const uid = pod.metadata.uid!;
    this.#prepared.delete(uid);
    await Promise.all([
      rm(join(this.#dirs.podsDir, uid), { recursive: true, force: true }),
      keepLogs(podLogDir(this.#dirs, pod), this.#clock.now()),
    ]);
  }

  async mark(pod: corev1.Pod, name: string): Promise<void> {
    const path = this.#markPath(pod, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
  }

  isMarked(pod: corev1.Pod, name: string): boolean {
    return existsSync(this.#markPath(pod, name));
  }

  #markPath(pod: corev1.Pod, name: string): string {
    return join(this.#dirs.podsDir, pod.metadata.uid!, "marks", name);
  }
}
