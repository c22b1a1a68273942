import { open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file so that a reader, or a start after a crash, finds the old content or the new one, never a part: a file beside it,
 * fsync, rename. The directory's entry is durable after {@link syncDirectory}.
 */
export async function writeFileAtomically(path: string, content: string, mode: number): Promise<void> {
  const beside = join(dirname(path), `.${basename(path)}.new`);
  const file = await open(beside, "w", mode);
  try {
    // A file left by a crash keeps the mode it was made with.
    await file.chmod(mode);
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
