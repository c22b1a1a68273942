import { renameSync, writeFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/*
 * Files that a reader finds as they were or as they are, never in part.
 */

/**
 * Writes a file beside it, fsyncs, renames: after a crash, too, it has its old content or the new one. That it has the
 * new one is certain after {@link syncDirectory}. For one writer at a time.
 */
export async function writeFileAtomically(
  path: string,
  content: string,
  options: { mode: number },
): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.new`);
  const file = await open(beside, "w", options.mode);
  try {
    // A file left by a crash keeps the mode it was made with.
    await file.chmod(options.mode);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
}

export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** As {@link writeFileAtomically}, for what need not outlive a crash of the machine; several processes may do it at once. */
export function replaceFile(path: string, content: string | Uint8Array, options: { mode: number }): void {
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}`);
  writeFileSync(beside, content, options);
  renameSync(beside, path);
}
