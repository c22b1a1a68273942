import type { MountedVolume } from "../../worker/services.ts";
import type { VolumePlugin, VolumeSpec } from "../plugin.ts";

/**
 * An image's files. As `pkg/volume/image`, it does nothing: the image is pulled and mounted with each container that
 * mounts it, whose failure it is when that cannot be.
 */
export class ImagePlugin implements VolumePlugin {
  readonly name = "kubernetes.io/image";

  canHandle({ volume }: VolumeSpec): boolean {
    return volume.image !== undefined;
  }

  async setUp(): Promise<MountedVolume> {
    return { hostPath: "", readOnly: true };
  }

  mayMount(): boolean {
    return false;
  }
}
