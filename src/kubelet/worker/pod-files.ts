import { existsSync } from "node:fs";
import { mkdir, readdir, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { corev1 } from "../../api/index.ts";
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
  readonly #prepared = new Set<string>();

  constructor(dirs: PodDirs) {
    this.#dirs = dirs;
  }

  async prepare(pod: corev1.Pod): Promise<void> {
    const uid = pod.metadata.uid!;
    if (this.#prepared.has(uid)) return;
    await Promise.all([
      mkdir(join(this.#dirs.podsDir, uid), { recursive: true, mode: 0o750 }),
      mkdir(podLogDir(this.#dirs, pod), { recursive: true, mode: 0o755 }),
    ]);
    this.#prepared.add(uid);
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

  async remove(pod: corev1.Pod): Promise<void> {
    const uid = pod.metadata.uid!;
    this.#prepared.delete(uid);
    await Promise.all([
      rm(join(this.#dirs.podsDir, uid), { recursive: true, force: true }),
      rm(podLogDir(this.#dirs, pod), { recursive: true, force: true }),
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
