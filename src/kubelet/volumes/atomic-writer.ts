import {
  chmodSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";

/** One file of a volume made by the agent. */
export interface PayloadFile {
  data: Buffer;
  mode: number;
  /** Owner, where it is not the agent. */
  uid?: number;
}
/** By path, relative to the volume. */
export type Payload = ReadonlyMap<string, PayloadFile>;

export interface Ownership {
  /** The pod's fsGroup. */
  gid?: number;
  /** For the name of the folder, as upstream's tells when it was written. */
  nowMs: number;
}

const dataLink = "..data";
const dataLinkNext = "..data_tmp";
/** So many files are written before others get a turn. */
const filesInTurnMax = 64;

/**
 * Replaces the content of a volume at once: readers see the old files or the new ones, never some of each. Files stand
 * in a fresh folder that `..data` points to; what a user sees are links through it. As `pkg/volume/util/atomic_writer`.
 *
 * Returns whether anything changed.
 */
export async function writeAtomically(
  folder: string,
  payload: Payload,
  ownership: Ownership,
): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path);
  const before = currentFolder(folder);
  if (before && (await isSame(join(folder, before), payload))) {
    linkAll(folder, payload);
    return false;
  }
  const fresh = await writeFresh(folder, payload, ownership);
  rmSync(join(folder, dataLinkNext), { force: true });
  symlinkSync(fresh, join(folder, dataLinkNext));
  renameSync(join(folder, dataLinkNext), join(folder, dataLink));
  linkAll(folder, payload);
  for (const name of readdirSync(folder)) {
    if (name.startsWith("..") && name !== fresh && name !== dataLink)
      rmSync(join(folder, name), { recursive: true, force: true });
  }
  return true;
}

/** Names that would leave the volume, or collide with the writer's own. */
export function checkPath(path: string): void {
  if (path === "") throw new Error("invalid path: must not be empty");
  if (path.startsWith("/")) throw new Error(`invalid path: must be relative path: ${path}`);
  const parts = path.split("/");
  if (parts.includes("..")) throw new Error(`invalid path: must not contain '..': ${path}`);
  if (parts[0]!.startsWith("..")) throw new Error(`invalid path: must not start with '..': ${path}`);
}

function currentFolder(folder: string): string | undefined {
  try {
    return readlinkSync(join(folder, dataLink));
  } catch {
    return undefined;
  }
}

async function isSame(folder: string, payload: Payload): Promise<boolean> {
  let seen = 0;
  try {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    if (files.length !== payload.size) return false;
    for (const [path, { data, mode }] of payload) {
      const file = join(folder, path);
      // Group bits may have been added for an fsGroup.
      if ((statSync(file).mode & 0o700) !== (mode & 0o700) || !readFileSync(file).equals(data)) return false;
      if (++seen % filesInTurnMax === 0) await setImmediate();
    }
    return true;
  } catch {
    return false;
  }
}

async function writeFresh(folder: string, payload: Payload, { gid, nowMs }: Ownership): Promise<string> {
  const fresh = mkdtempSync(
    join(folder, `..${new Date(nowMs).toISOString().slice(0, 19).replace(/[-T:]/g, "_")}.`),
  );
  const owner = process.getuid?.() ?? 0;
  const folderMode = gid === undefined ? 0o755 : 0o2775;
  const own = (path: string, uid = owner) => {
    if (owner === 0 && (gid !== undefined || uid !== owner)) lchownSync(path, uid, gid ?? 0);
  };
  own(fresh);
  chmodSync(fresh, folderMode);
  const made = new Set<string>(["."]);
  let written = 0;
  for (const [path, file] of payload) {
    for (const parent of parents(path)) {
      if (made.has(parent)) continue;
      made.add(parent);
      mkdirSync(join(fresh, parent));
      own(join(fresh, parent));
      chmodSync(join(fresh, parent), folderMode);
    }
    const target = join(fresh, path);
    writeFileSync(target, file.data, { mode: 0o600 });
    own(target, file.uid);
    // As kubelet: a volume of the agent's is read-only to pods, so the group gets to read.
    chmodSync(target, gid === undefined ? file.mode : file.mode | 0o440);
    if (++written % filesInTurnMax === 0) await setImmediate();
  }
  return fresh.slice(folder.length + 1);
}

/** `a/b/c` → `a`, `a/b`. */
function parents(path: string): string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...parents(parent), parent];
}

/** A link for each first part of a path; those no longer wanted go. */
function linkAll(folder: string, payload: Payload): void {
  const wanted = new Set([...payload.keys()].map((path) => path.split("/")[0]!));
  const present = new Set(readdirSync(folder));
  for (const name of wanted) if (!present.has(name)) symlinkSync(join(dataLink, name), join(folder, name));
  for (const name of present) if (!name.startsWith("..") && !wanted.has(name)) unlinkSync(join(folder, name));
}
