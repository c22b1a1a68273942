import { constants } from "node:fs";
import { chmod, type FileHandle, mkdir, open, readlink, realpath } from "node:fs/promises";

/** O_PATH: a descriptor that only names a place. Node does not export it. */
const openPath = 0o10000000;
const linksMax = 32;
const outside = "the path leads out of the volume";

export interface OpenPlace {
  fd: number;
  close(): Promise<void>;
}

/**
 * Opens `path` below `root`, one part at a time and never out of it: a symbolic link out of the root is refused, however
 * the folders are changed meanwhile. Folders that `path` names and that are missing are made with `makeMode`, if given;
 * those that a link names are not: as upstream, a link to nowhere is an error.
 */
export async function openBelow(root: string, path: string, makeMode?: number): Promise<OpenPlace> {
  const base = await open(root, openPath | constants.O_DIRECTORY);
  let trail: FileHandle[] = [base];
  const closeAll = async (except?: FileHandle) => {
    for (const handle of new Set([base, ...trail])) if (handle !== except) await handle.close();
  };
  try {
    const parts = partsOf(path);
    let links = 0;
    /** How many of the parts are those of a link. */
    let ofLinks = 0;
    while (parts.length > 0) {
      const part = parts.shift()!;
      const isOfLink = ofLinks > 0;
      if (isOfLink) ofLinks--;
      if (part === "..") {
        if (trail.length === 1) throw new Error(outside);
        await trail.pop()!.close();
        continue;
      }
      const here = `/proc/self/fd/${trail.at(-1)!.fd}/${part}`;
      const next = await openPart(here, isOfLink ? undefined : makeMode);
      if (!(await next.stat()).isSymbolicLink()) {
        trail.push(next);
        continue;
      }
      await next.close();
      if (++links > linksMax) throw new Error("too many links");
      let target = await readlink(here);
      if (target.startsWith("/")) {
        target = await belowRoot(root, target);
        const before = trail;
        trail = [base];
        for (const handle of before) if (handle !== base) await handle.close();
      }
      const added = partsOf(target);
      parts.unshift(...added);
      ofLinks += added.length;
    }
    const place = trail.at(-1)!;
    await closeAll(place);
    return { fd: place.fd, close: () => place.close() };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const partsOf = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");

/** An absolute link is one of the host's, and may lead to a place in the volume all the same. */
async function belowRoot(root: string, target: string): Promise<string> {
  for (const base of [root, await realpath(root)]) {
    if (target === base) return "";
    if (target.startsWith(`${base}/`)) return target.slice(base.length + 1);
  }
  throw new Error(outside);
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
