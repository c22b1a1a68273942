import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { NodeFacts } from "../../container/field-ref.ts";
import { wholeOf } from "../../container/quantities.ts";
import type { MountedVolume } from "../../worker/services.ts";
import type { Mounter } from "../mounter.ts";
import type { SetUpContext, VolumePlugin, VolumeSpec } from "../plugin.ts";
import { makeVolumeFolder } from "../volume-folder.ts";
import { hugePageBytes, tmpfsBytes } from "./empty-dir-size.ts";

export const emptyDirPluginName = "kubernetes.io/empty-dir";

/**
 * A folder of the pod's own, or a file system in memory. What is there already is left as the pod has made it.
 * Counterpart upstream: `pkg/volume/emptydir`.
 */
export class EmptyDirPlugin implements VolumePlugin {
  readonly name = emptyDirPluginName;
  readonly #mounter: Mounter;
  readonly #node: () => NodeFacts;

  constructor({ mounter, node }: { mounter: Mounter; node: () => NodeFacts }) {
    this.#mounter = mounter;
    this.#node = node;
  }

  canHandle({ volume }: VolumeSpec): boolean {
    return volume.emptyDir !== undefined;
  }

  mayMount({ volume }: VolumeSpec): boolean {
    return Boolean(volume.emptyDir?.medium);
  }

  async setUp({ volume }: VolumeSpec, { folder, fsGroup, pod }: SetUpContext): Promise<MountedVolume> {
    const { medium, sizeLimit } = volume.emptyDir!;
    const owner = fsGroup === undefined ? [] : [`gid=${fsGroup}`];
    const setgid = fsGroup === undefined ? 0 : 0o2000;
    if (!medium) await makeOnce(folder, fsGroup);
    else if (medium === "Memory") {
      const sizeBytes = tmpfsBytes(pod, sizeLimit, wholeOf(this.#node().allocatable["memory"]));
      // Sticky, as the kernel makes it unless it is told otherwise, and as upstream leaves it.
      const options = [`mode=${(0o1777 | setgid).toString(8)}`, ...owner];
      if (sizeBytes > 0) options.push(`size=${sizeBytes}`);
      await this.#mountOnce("tmpfs", folder, options);
    } else if (medium.startsWith("HugePages")) {
      const pagesize = hugePageBytes(medium, pod);
      await this.#mountOnce("hugetlbfs", folder, [`pagesize=${pagesize}`, "mode=777", ...owner]);
      // It takes no such bit when it is mounted.
      if (setgid) await chmod(folder, 0o777 | setgid);
    } else throw new Error(`unknown storage medium "${medium}"`);
    return { hostPath: folder, readOnly: false };
  }

  async #mountOnce(type: string, folder: string, options: readonly string[]): Promise<void> {
    if (await this.#mounter.isMountPoint(folder)) return;
    await mkdir(folder, { recursive: true, mode: 0o750 });
    await this.#mounter.mount(type, folder, { type, options });
  }
}

/** Whole from the moment it is there: an agent that is killed in between leaves nothing half made. */
async function makeOnce(folder: string, gid: number | undefined): Promise<void> {
  if (await stat(folder).catch(() => undefined)) return;
  await mkdir(dirname(folder), { recursive: true, mode: 0o750 });
  const beside = join(dirname(folder), `.${basename(folder)}.new`);
  await rm(beside, { recursive: true, force: true });
  await makeVolumeFolder(beside, gid);
  await rename(beside, folder);
}
