import { mkdir, open, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Log } from "../../base/index.ts";
import type { MountedVolume } from "../worker/services.ts";
import type { Mounter } from "./mounter.ts";
import { openBelow } from "./open-below.ts";

/** @throws for one that could lead out of its volume */
export function checkedSubPath(subPath: string): string {
  if (subPath.startsWith("/")) throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split("/").includes("..")) {
    throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  return subPath;
}

export interface SubPathMount {
  pod: corev1.Pod;
  container: string;
  /** Of the volume mount in the container. */
  index: number;
  volume: MountedVolume;
  volumeName: string;
  subPath: string;
}

/**
 * Part of a volume, bound to a place of the agent's own: what the pod's processes do to the volume afterwards cannot
 * lead the mount elsewhere. As `pkg/volume/util/subpath`.
 */
export class SubPaths {
  readonly #podsDir: string;
  readonly #mounter: Mounter;
  readonly #log: Log;

  constructor(options: { podsDir: string; mounter: Mounter; log: Log }) {
    this.#podsDir = options.podsDir;
    this.#mounter = options.mounter;
    this.#log = options.log;
  }

  async prepare({ pod, container, index, volume, volumeName, subPath }: SubPathMount): Promise<string> {
    checkedSubPath(subPath);
    const target = join(
      this.#podsDir,
      pod.metadata.uid!,
      "volume-subpaths",
      volumeName,
      container,
      String(index),
    );
    try {
      return await this.#bind(volume.hostPath, subPath, target);
    } catch (error) {
      // The cause could tell about the host's files: it stays in the log.
      this.#log.warn(
        { pod: pod.metadata.name, container, volume: volumeName, error: String(error) },
        "subPath failed",
      );
      throw new Error(
        `failed to prepare subPath for volumeMount "${volumeName}" of container "${container}"`,
      );
    }
  }

  async #bind(root: string, subPath: string, target: string): Promise<string> {
    const folderMode = (await stat(root)).mode & 0o7777;
    const place = await openBelow(root, subPath, folderMode);
    try {
      const source = `/proc/${process.pid}/fd/${place.fd}`;
      // Only root can bind; without it the checked path is the best there is.
      if (process.getuid?.() !== 0) return await realpath(source);
      await this.#mounter.unmount(target);
      await mkdir(dirname(target), { recursive: true, mode: 0o750 });
      if ((await stat(source)).isDirectory()) await mkdir(target, { recursive: true });
      else await (await open(target, "a")).close();
      await this.#mounter.bind(source, target);
      return target;
    } finally {
      await place.close();
    }
  }
}
