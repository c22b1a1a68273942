import type { ContainerStatus } from "./contract.ts";

/** The ids of images that containers have as their root or as a volume: those are not to be removed. */
export function imagesInUse(containers: readonly ContainerStatus[]): Set<string> {
  return new Set(
    containers.flatMap(({ imageId, mounts }) => [
      imageId,
      ...mounts.flatMap((mount) => (mount.imageId === undefined ? [] : [mount.imageId])),
    ]),
  );
}
