import { constants } from "node:fs";
import { chmod, chown, type FileHandle, lchown, open, readdir } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import type { corev1 } from "../../api/index.ts";

/** O_PATH: a descriptor that only names a place. Node does not export it. */
const openPath = 0o10000000;
const setgid = 0o2000;
const filePermissions = 0o660;
const folderPermissions = 0o110 | setgid;
/** So many entries are changed before others get a turn. */
const entriesInTurn = 64;

/**
 * Gives a volume to a group, as `pkg/volume/volume_linux.go`: everything in it belongs to the group, which may read and
 * write; what comes later into its folders does too. `OnRootMismatch` leaves a volume alone whose root is so already: a
 * large one takes its time.
 *
 * Others may use the volume meanwhile: each entry is opened before it is changed, and no link is ever followed.
 */
export async function giveToGroup(
  root: string,
  gid: number,
  policy: corev1.PodSecurityContext["fsGroupChangePolicy"],
): Promise<void> {
  const folder = await open(root, openPath | constants.O_NOFOLLOW);
  try {
    const { gid: owner, mode } = await folder.stat();
    const needed = filePermissions | folderPermissions;
    if (policy === "OnRootMismatch" && owner === gid && (mode & needed) === needed) return;
    await giveEntry(folder, root, gid, { count: 0 });
  } finally {
    await folder.close();
  }
}

/** The folder last: until then `OnRootMismatch` sees that the work is not done. */
async function giveEntry(
  entry: FileHandle,
  path: string,
  gid: number,
  seen: { count: number },
): Promise<void> {
  if (++seen.count % entriesInTurn === 0) await setImmediate();
  const found = await entry.stat();
  if (found.isSymbolicLink()) {
    await lchown(path, found.uid, gid);
    return;
  }
  const self = `/proc/self/fd/${entry.fd}`;
  if (found.isDirectory()) {
    for (const name of await readdir(self)) {
      const below = `${self}/${name}`;
      const child = await open(below, openPath | constants.O_NOFOLLOW).catch((error) => {
        // Its pods go on meanwhile.
        if (error.code === "ENOENT") return undefined;
        throw error;
      });
      if (!child) continue;
      try {
        await giveEntry(child, below, gid, seen);
      } finally {
        await child.close();
      }
    }
  }
  if (found.gid !== gid) await chown(self, found.uid, gid);
  const wanted = found.mode | filePermissions | (found.isDirectory() ? folderPermissions : 0);
  // Giving a file away may take its setuid bit: the mode comes after.
  if (wanted !== found.mode || found.gid !== gid) await chmod(self, wanted & 0o7777);
}
