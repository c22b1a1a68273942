import { measureTrees } from "../../runtime/index.ts";
import type { DiskUse } from "./usage.ts";

/** What files take on the disk, by path. Paths that are gone, or could not be measured, are left out. */
export async function measureDisk(paths: readonly string[]): Promise<Map<string, DiskUse>> {
  const usages = await measureTrees(paths);
  return new Map(
    [...usages].map(([path, { inodesUsed, usedBytes }]) => [path, { bytes: usedBytes, inodes: inodesUsed }]),
  );
}
