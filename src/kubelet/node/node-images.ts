import type { corev1 } from "../../api/index.ts";
import type { Image } from "../../runtime/index.ts";

/** As kubelet's `--node-status-max-images` and its names an image: a node's object must not grow with its disk. */
const imagesMax = 50;
const namesMax = 5;

/** The images a node tells of, the largest first: what the scheduler would save most by. Pure. */
export function nodeImages(images: readonly Image[]): corev1.ContainerImage[] {
  return [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.id < b.id ? -1 : 1))
    .slice(0, imagesMax)
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags].slice(0, namesMax),
      sizeBytes,
    }));
}
