import { constants } from "node:fs";
import { chmod, type FileHandle, mkdir, open, readlink } from "node:fs/promises";

/** O_PATH: a descriptor that only names a place. Node does not export it. */
const openPath = 0o10000000;
const linksMax = 32;

export interface OpenPlace {
  fd: number;
  close(): Promise<void>;
}

/**
 * Opens `path` below `root`, one part at a time and never out of it: no part is followed that is a symbolic link out
 * of the root, however the folders are changed meanwhile. Missing folders are made with `makeMode`, if given.
 */
export async function openBelow(root: string, path: string, makeMode?: number): Promise<OpenPlace> {
  const base = await open(root, openPath | constants.O_DIRECTORY);
  let trail: FileHandle[] = [base];
  const closeAll = async (except?: FileHandle) => {
    for (const handle of new Set([base, ...trail])) if (handle !== except) await handle.close();
  };
  try {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    let links = 0;
    while (parts.length > 0) {
      const part = parts.shift()!;
      if (part === "..") {
        if (trail.length > 1) await trail.pop()!.close();
        continue;
      }
      const here = `/proc/self/fd/${trail.at(-1)!.fd}/${part}`;
      const next = await openPart(here, makeMode);
      if (!(await next.stat()).isSymbolicLink()) {
        trail.push(next);
        continue;
      }
      await next.close();
      if (++links > linksMax) throw new Error("too many links");
      const target = await readlink(here);
      if (target.startsWith("/")) {
        const before = trail;
        trail = [base];
        for (const handle of before) if (handle !== base) await handle.close();
      }
      parts.unshift(...target.split("/").filter((each) => each !== "" && each !== "."));
    }
    const place = trail.at(-1)!;
    await closeAll(place);
    return { fd: place.fd, close: () => place.close() };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function openPart(path: string, makeMode: number | undefined): Promise<FileHandle> {
  const flags = openPath | constants.O_NOFOLLOW;
  try {
    return await open(path, flags);
  } catch (error) {
    if (makeMode === undefined || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    await mkdir(path, { mode: makeMode });
    const made = await open(path, flags);
    // Past the umask, as the volume itself was made.
    await chmod(`/proc/self/fd/${made.fd}`, makeMode);
    return made;
  }
}
