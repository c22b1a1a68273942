import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { appendFile, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Mount } from "../contract.ts";
import { normalized } from "./spec/mounts.ts";

/** What every container has something mounted on, whether its image has it or not. */
const foldersOfAll = ["dev", "etc", "proc", "sys"];
const filesOfAll = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];
/** Where the kernel's own filesystems are mounted, a layer's folders would be seen by nobody. */
const kernels = /^\/(dev|proc|sys)(\/|$)/;
/** Sets of volumes' mount points that are kept; those of containers beyond are made by the runtime. */
const setsMax = 256;
const base = "base";
const unfinished = "new-";

/**
 * Layers below those of any image that have what is mounted on: where it is there already, the runtime does not make it
 * in the container's writable layer, which costs each container several files on the disk.
 *
 * A container sees the same as ever: empty folders of root's with mode 0755, unless its image says something else. One
 * layer serves all containers that mount at the same places, and stays: mounts stand on it.
 */
export class MountPointLayers {
  readonly #dir: string;
  #known = new Set<string>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Makes the layer that is every container's, and takes up what an earlier engine left. */
  async prepare(): Promise<void> {
    for (const name of ["", ...foldersOfAll]) await mkdir(join(this.#dir, base, name), { recursive: true });
    for (const name of filesOfAll) await appendFile(join(this.#dir, base, name), "");
    const names = await readdir(this.#dir);
    for (const name of names)
      if (name.startsWith(unfinished)) await rm(join(this.#dir, name), { recursive: true });
    this.#known = new Set(names.filter((name) => /^[0-9a-f]{32}$/.test(name)));
  }

  /** The layers for a container with these mounts, lowest first. */
  of(mounts: readonly Mount[]): string[] {
    const layers = [join(this.#dir, base)];
    const places = mounts.filter(isFolder).map(({ containerPath }) => normalized(containerPath));
    const wanted = [...new Set(places)].filter((place) => place !== "/" && !kernels.test(place)).sort();
    if (wanted.length === 0) return layers;
    const name = createHash("sha256").update(wanted.join("\0")).digest("hex").slice(0, 32);
    if (!this.#known.has(name) && !this.#make(name, wanted)) return layers;
    return [...layers, join(this.#dir, name)];
  }

  #make(name: string, places: readonly string[]): boolean {
    if (this.#known.size >= setsMax) return false;
    const folder = mkdtempSync(join(this.#dir, unfinished));
    try {
      chmodSync(folder, 0o755);
      for (const place of places) mkdirSync(join(folder, place), { recursive: true, mode: 0o755 });
      renameSync(folder, join(this.#dir, name));
    } catch {
      // A name too long, or a full disk: whoever mounts there says so.
      rmSync(folder, { recursive: true, force: true });
      return false;
    }
    this.#known.add(name);
    return true;
  }
}

/** What is not there yet, or cannot be looked at, is for whoever mounts it. */
function isFolder({ hostPath, imageId, imageSubPath }: Mount): boolean {
  if (imageId !== undefined) return !imageSubPath;
  try {
    return statSync(hostPath).isDirectory();
  } catch {
    return false;
  }
}
