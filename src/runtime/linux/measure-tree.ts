import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";
import { measureTrees, type TreeUsage } from "./du.ts";

/** Directories whose entries are looked at at once: a deep tree must not take all of the thread pool's turns. */
const parallelMax = 2;
/** How `stat` counts blocks, whatever the filesystem's own size of one. */
const blockBytes = 512;
/** A tree of more is a child process's to walk: the event loop has others to serve. */
const entriesMax = 2_000;

/**
 * What the files below a directory take on the disk, as `du` counts: a file with several names once, and nothing on
 * other filesystems. Undefined for what is not there.
 */
export async function measureTree(root: string): Promise<TreeUsage | undefined> {
  const top = await lstat(root).catch(() => undefined);
  if (!top) return undefined;
  let usedBytes = top.blocks * blockBytes;
  let inodesUsed = 1;
  const linked = new Set<number>();
  const pending = [root];
  const measureOne = async (directory: string) => {
    const entries = await opendir(directory).catch(() => undefined);
    if (!entries) return;
    for await (const entry of entries) {
      if (inodesUsed > entriesMax) return;
      const path = join(directory, entry.name);
      // It may go while it is looked at.
      const info = await lstat(path).catch(() => undefined);
      if (!info || info.dev !== top.dev) continue;
      if (info.isDirectory()) pending.push(path);
      else if (info.nlink > 1) {
        if (linked.has(info.ino)) continue;
        linked.add(info.ino);
      }
      usedBytes += info.blocks * blockBytes;
      inodesUsed++;
    }
  };
  while (pending.length > 0 && inodesUsed <= entriesMax)
    await Promise.all(pending.splice(-parallelMax).map(measureOne));
  if (inodesUsed > entriesMax) return (await measureTrees([root])).get(root);
  return { usedBytes, inodesUsed };
}
