import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open, readFile, rm, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isZeroBlock, paddedToBlock, TarHeaders, tarBlockBytes } from "./tar.ts";

/** An image archive has a handful of files for each layer. */
const archiveEntriesMax = 100_000;
const linkDepthMax = 8;

/** A part of a file on this machine. */
export interface FilePart {
  path: string;
  offset: number;
  lengthBytes: number;
}

/** Files by name, in a directory or in a tar, read where they are. */
export interface FileTree {
  find(name: string): Promise<FilePart | undefined>;
  /** Lets go of what `openFileTree` made. */
  close(): Promise<void>;
}

/** Opens a directory, a tar, or a gzip'd tar; the last one is decompressed to `scratchPath` until `close`. */
export async function openFileTree(
  path: string,
  scratchPath: string,
  signal?: AbortSignal,
): Promise<FileTree> {
  if ((await stat(path)).isDirectory()) return directoryTree(path);
  if (!(await isGzip(path))) return tarTree(path, async () => {});
  const drop = () => rm(scratchPath, { force: true });
  try {
    await pipeline(createReadStream(path), createGunzip(), createWriteStream(scratchPath), { signal });
    return await tarTree(scratchPath, drop);
  } catch (error) {
    await drop();
    throw error;
  }
}

function directoryTree(root: string): FileTree {
  return {
    find: async (name) => {
      const path = join(root, posix.join("/", name));
      try {
        const found = await stat(path);
        return found.isFile() ? { path, offset: 0, lengthBytes: found.size } : undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    },
    close: async () => {},
  };
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const magic = Buffer.alloc(2);
    await file.read(magic, 0, 2, 0);
    return magic[0] === 0x1f && magic[1] === 0x8b;
  } finally {
    await file.close();
  }
}

async function tarTree(path: string, close: () => Promise<void>): Promise<FileTree> {
  const file = await open(path, "r");
  try {
    const { parts, links } = await readTarIndex(path, file);
    const find = async (name: string) => {
      let at = clean(name);
      // `docker save` writes a layer that images share once, and symbolic links to it.
      for (let depth = 0; depth < linkDepthMax; depth++) {
        const target = links.get(at);
        if (target === undefined) return parts.get(at);
        at = target;
      }
      return undefined;
    };
    return { find, close };
  } finally {
    await file.close();
  }
}

/** Goes from header to header, and reads no content but extension headers'. */
async function readTarIndex(path: string, file: FileHandle) {
  const headers = new TarHeaders();
  const parts = new Map<string, FilePart>();
  const links = new Map<string, string>();
  const block = Buffer.alloc(tarBlockBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, tarBlockBytes, at);
    if (bytesRead < tarBlockBytes || isZeroBlock(block)) return { parts, links };
    at += tarBlockBytes;
    const next = headers.next(block);
    if ("metaBytes" in next) {
      const body = Buffer.alloc(next.metaBytes);
      await file.read(body, 0, body.length, at);
      headers.meta(next.typeFlag, body);
      at += paddedToBlock(next.metaBytes);
      continue;
    }
    const { name, type, sizeBytes, linkName } = next.entry;
    if (parts.size + links.size > archiveEntriesMax) throw new Error("too many entries in the archive");
    if (type === "file") parts.set(clean(name), { path, offset: at, lengthBytes: sizeBytes });
    else if (type === "hardlink") links.set(clean(name), clean(linkName));
    else if (type === "symlink") links.set(clean(name), clean(posix.join(posix.dirname(name), linkName)));
    at += paddedToBlock(sizeBytes);
  }
}

function clean(name: string): string {
  return posix.join("/", name).slice(1);
}

/** Reads a part whole. @throws Error past `bytesMax`. */
export async function readPart(part: FilePart, bytesMax: number): Promise<Buffer> {
  if (part.lengthBytes > bytesMax) throw new Error(`a file in the archive is larger than ${bytesMax} bytes`);
  if (part.offset === 0) {
    const whole = await readFile(part.path);
    if (whole.length === part.lengthBytes) return whole;
  }
  const file = await open(part.path, "r");
  try {
    const bytes = Buffer.alloc(part.lengthBytes);
    await file.read(bytes, 0, bytes.length, part.offset);
    return bytes;
  } finally {
    await file.close();
  }
}
