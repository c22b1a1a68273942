import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Tries to open a file that rotation renames at that moment; each rename is seconds after the one before. */
const triesMax = 5;

/** One file of a container's log. Its inode tells it from others, whatever it is called by now. */
export interface LogFile {
  path: string;
  inode: number;
}

/** What is left of a container's log, oldest first: rotated files are `PATH.TIME`, the newest is `PATH`. */
export async function logFiles(path: string): Promise<LogFile[]> {
  const folder = dirname(path);
  const names = await readdir(folder).catch(() => [] as string[]);
  const rotated = names.filter((name) => isReadable(name, basename(path))).sort();
  const paths = [...rotated.map((name) => join(folder, name)), path];
  const found = await Promise.all(
    paths.map(async (each) => ({ path: each, info: await stat(each).catch(() => undefined) })),
  );
  return found.flatMap(({ path: each, info }) => (info ? [{ path: each, inode: info.ino }] : []));
}

/** Compressed ones are for people; those being made are for nobody. */
const isReadable = (name: string, newest: string) =>
  name.startsWith(`${newest}.`) && !name.endsWith(".gz") && !name.endsWith(".tmp");

/**
 * Opens the file that was written after the one with the inode `last`, or, where that is gone or none was read, the
 * oldest that is left. Undefined: there is none (yet). The newest may still be written to, also where it has been
 * renamed already and no other has taken its place.
 */
export async function openNext(
  path: string,
  last: number | undefined,
): Promise<(LogFile & { file: FileHandle; isNewest: boolean }) | undefined> {
  for (let tries = 0; tries < triesMax; tries++) {
    const files = await logFiles(path);
    const next = files[files.findIndex(({ inode }) => inode === last) + 1];
    if (!next) return undefined;
    const file = await open(next.path).catch(() => undefined);
    if (!file) continue;
    // Rotated between the look and the opening: another file has the name now.
    if ((await file.stat()).ino === next.inode) return { ...next, file, isNewest: next === files.at(-1) };
    await file.close();
  }
  return undefined;
}
