import type { corev1 } from "../../api/index.ts";
import { type Scorer, scoreMax } from "./scorer.ts";

const mib = 1024 * 1024;
/** Less than this is pulled in no time; more than the maximum, for each container, makes no node better still. */
const bytesMin = 23 * mib;
const containerBytesMax = 1_000 * mib;

/**
 * As ImageLocality: better where the pod's images are. An image that few nodes have counts less, so that not all pods
 * go where the first one went.
 */
export const imageLocality: Scorer = {
  name: "ImageLocality",
  weight: 1,
  scores: ({ pod }, view, nodes) => {
    const wanted = imagesOf(pod.spec!);
    const spread = wanted.map(
      (image) => view.nodes.filter(({ images }) => images.has(image)).length / view.nodes.length,
    );
    if (spread.every((share) => share === 0)) return undefined;
    const { containers, initContainers = [] } = pod.spec!;
    const most = containerBytesMax * (containers.length + initContainers.length);
    return nodes.map(({ images }) => {
      const bytes = wanted.reduce(
        (sum, image, i) => sum + Math.floor((images.get(image) ?? 0) * spread[i]!),
        0,
      );
      const within = Math.min(Math.max(bytes, bytesMin), most);
      return Math.floor((scoreMax * (within - bytesMin)) / (most - bytesMin));
    });
  },
};

function imagesOf({ containers, initContainers = [], volumes = [] }: corev1.PodSpec): string[] {
  const names = [...initContainers, ...containers].map(({ image }) => image);
  names.push(...volumes.map(({ image }) => image?.reference));
  return names.filter((name) => name !== undefined).map(fullName);
}

/** As nodes name their images: in full, with registry, repository and tag. */
function fullName(image: string): string {
  const slash = image.indexOf("/");
  const first = slash < 0 ? "" : image.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === "localhost";
  const repository = hasRegistry ? image : `docker.io/${slash < 0 ? "library/" : ""}${image}`;
  return repository.lastIndexOf(":") <= repository.lastIndexOf("/") ? `${repository}:latest` : repository;
}
