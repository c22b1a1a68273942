import type { corev1 } from "../../../api/index.ts";
import { wholeOf } from "../../container/quantities.ts";
import { podResources } from "../../container/resources.ts";

/**
 * How large an emptyDir in memory may grow: what it says, but no more than its pod may use, or all pods together.
 * 0: nobody says. As `calculateEmptyDirMemorySize` upstream.
 */
export function tmpfsBytes(pod: corev1.Pod, sizeLimit: string | undefined, allocatableBytes: number): number {
  const bounds = [wholeOf(sizeLimit), podResources(pod).memoryLimitBytes ?? 0, allocatableBytes];
  const set = bounds.filter((bytes) => bytes > 0);
  return set.length > 0 ? Math.min(...set) : 0;
}

const prefix = "hugepages-";

/** The size of the pages that a medium names, or else the one size that the pod asks for. As `getPageSizeMountOption`. */
export function hugePageBytes(medium: string, { spec }: corev1.Pod): number {
  const wanted = medium === "HugePages" ? undefined : wholeOf(medium.slice("HugePages-".length));
  const requests = [
    spec!.resources?.requests,
    ...[...spec!.containers, ...(spec!.initContainers ?? [])].map(({ resources }) => resources?.requests),
  ];
  const names = requests.flatMap((each) => Object.keys(each ?? {}));
  const asked = new Set(
    names.filter((name) => name.startsWith(prefix)).map((name) => wholeOf(name.slice(prefix.length))),
  );
  if (wanted === undefined && asked.size > 1)
    throw new Error(`medium: ${medium} can't be used if container requests multiple huge page sizes`);
  const found = wanted === undefined ? [...asked][0] : asked.has(wanted) ? wanted : undefined;
  if (found === undefined)
    throw new Error(
      `medium ${medium}: hugePages storage requested, but there is no resource request for huge pages`,
    );
  return found;
}
