import { mkdir } from "node:fs/promises";
import { isIPv6 } from "node:net";
import type { MountedVolume } from "../../worker/services.ts";
import type { Mounter } from "../mounter.ts";
import type { SetUpContext, VolumePlugin, VolumeSpec } from "../plugin.ts";

/** A directory of an NFS server, mounted by the node. As `pkg/volume/nfs`. */
export class NfsPlugin implements VolumePlugin {
  readonly name = "kubernetes.io/nfs";
  readonly #mounter: Mounter;

  constructor({ mounter }: { mounter: Mounter }) {
    this.#mounter = mounter;
  }

  canHandle(spec: VolumeSpec): boolean {
    return sourceOf(spec) !== undefined;
  }

  mayMount(): boolean {
    return true;
  }

  async setUp(spec: VolumeSpec, { folder }: SetUpContext): Promise<MountedVolume> {
    const { path, readOnly: isReadOnly = false, server } = sourceOf(spec)!;
    const readOnly = isReadOnly || spec.readOnly;
    if (!(await this.#mounter.isMountPoint(folder))) {
      await mkdir(folder, { recursive: true, mode: 0o750 });
      await this.#mounter.mount(`${isIPv6(server) ? `[${server}]` : server}:${path}`, folder, {
        type: "nfs",
        options: [...(readOnly ? ["ro"] : []), ...(spec.persistentVolume?.spec?.mountOptions ?? [])],
      });
    }
    return { hostPath: folder, readOnly };
  }
}

const sourceOf = ({ persistentVolume, volume }: VolumeSpec) =>
  persistentVolume ? persistentVolume.spec?.nfs : volume.nfs;
