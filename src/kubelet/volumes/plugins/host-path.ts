import type { MountedVolume } from "../../worker/services.ts";
import type { VolumePlugin, VolumeSpec } from "../plugin.ts";
import { prepareHostPath } from "./host-path-check.ts";

/** A file or folder of the node, where it is: nothing is made below the pod's folder. */
export class HostPathPlugin implements VolumePlugin {
  readonly name = "kubernetes.io/host-path";

  canHandle(spec: VolumeSpec): boolean {
    return sourceOf(spec) !== undefined;
  }

  mayMount(): boolean {
    return false;
  }

  async setUp(spec: VolumeSpec): Promise<MountedVolume> {
    const source = sourceOf(spec)!;
    await prepareHostPath(source);
    return { hostPath: source.path, readOnly: spec.readOnly };
  }
}

const sourceOf = ({ persistentVolume, volume }: VolumeSpec) =>
  persistentVolume ? persistentVolume.spec?.hostPath : volume.hostPath;
