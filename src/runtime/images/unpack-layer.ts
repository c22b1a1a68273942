/**
 * The program of the unpacking process: takes {@link UnpackJob}s over the channel to its parent and ends with it.
 *
 * A process of its own, because unpacking is busy and synchronous, and because it enters each layer's directory as its
 * root, where no path of a hostile archive leads anywhere else. It imports only what it needs: it must start fast.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { Duplex, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { hashFor } from "./digest.ts";
import { LayerWriter } from "./layer-writer.ts";
import { loadLibc } from "./libc.ts";
import { TarError, TarStream } from "./tar.ts";
import type { UnpackJob, UnpackResult } from "./unpack-job.ts";

const readChunkBytes = 1 << 20;
const warningsMax = 20;

const libc = loadLibc();
const hostRoot = fs.openSync("/", fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
process.umask(0);

class Unsupported extends Error {}

process.on("message", async (job: UnpackJob) => {
  process.send!(await unpack(job));
});
process.on("disconnect", () => process.exit());
process.send!("ready");

async function unpack(job: UnpackJob): Promise<UnpackResult> {
  const opened: number[] = [];
  const open = (path: string, flags = fs.constants.O_DIRECTORY) => {
    const fd = fs.openSync(path, fs.constants.O_RDONLY | flags);
    opened.push(fd);
    return fd;
  };
  const warnings: string[] = [];
  try {
    const target = open(job.target);
    const below = job.below.map((path) => open(path));
    const source = open(job.source.path, 0);
    const layer = decompressor(compressionOf(source, job.source));
    libc.enterRoot(target);
    const writer = new LayerWriter({
      libc,
      below: (path) => firstBelow(path, below, target),
      warn: (message) => warnings.length < warningsMax && warnings.push(message),
    });
    try {
      await write(job, source, layer, writer);
    } finally {
      writer.abort();
    }
    libc.syncfs(target);
    return { outcome: "done", sizeBytes: writer.sizeBytes, warnings };
  } catch (error) {
    libc.enterRoot(hostRoot);
    return await explain(job, error as NodeJS.ErrnoException);
  } finally {
    libc.enterRoot(hostRoot);
    for (const fd of opened) fs.closeSync(fd);
  }
}

async function write(
  job: UnpackJob,
  source: number,
  layer: Duplex | undefined,
  writer: LayerWriter,
): Promise<void> {
  const digest = job.digest === undefined ? undefined : hashFor(job.digest);
  const diffId = hashFor(job.diffId);
  const tar = new TarStream(writer);
  async function* compressed() {
    for await (const piece of readSource(source, job.source)) {
      digest?.update(piece);
      yield piece as Buffer;
    }
  }
  const plain = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) {
      diffId.update(piece);
      tar.write(piece);
    }
  };
  if (layer) await pipeline(compressed, layer, plain);
  else await plain(compressed());
  tar.end();
  writer.end();
  if (digest && !job.digest!.endsWith(`:${digest.digest("hex")}`)) throw new TarError("the digest differs");
  const got = diffId.digest("hex");
  if (!job.diffId.endsWith(`:${got}`)) {
    throw new TarError(`wrong diff id calculated on extraction "sha256:${got}", expected "${job.diffId}"`);
  }
}

function readSource(fd: number, part: UnpackJob["source"]): Readable {
  return fs.createReadStream("", {
    fd,
    autoClose: false,
    start: part.offset,
    end: part.offset + part.lengthBytes - 1,
    highWaterMark: readChunkBytes,
  });
}

type Compression = "none" | "gzip" | "zstd";

/** By the first bytes, as containerd does: media types are often wrong about it. */
function compressionOf(fd: number, part: UnpackJob["source"]): Compression {
  const magic = Buffer.alloc(4);
  fs.readSync(fd, magic, 0, Math.min(4, part.lengthBytes), part.offset);
  if (magic[0] === 0x1f && magic[1] === 0x8b) return "gzip";
  // A frame may also be a skippable one, as estargz-like tools put first.
  const isSkippable = (magic[0]! & 0xf0) === 0x50 && magic.readUIntLE(1, 3) === 0x184d2a;
  return magic.readUInt32LE() === 0xfd2fb528 || isSkippable ? "zstd" : "none";
}

function decompressor(compression: Compression): Duplex | undefined {
  if (compression === "none") return undefined;
  if (compression === "gzip") return zlib.createGunzip({ chunkSize: 1 << 18 });
  // Node has zstd since 22.15; before it, the program of the same name does it.
  const native = (zlib as { createZstdDecompress?: () => Duplex }).createZstdDecompress;
  if (native) return native();
  const child = spawn("zstd", ["-dcq"], { stdio: ["pipe", "pipe", "ignore"] });
  const both = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", () =>
    both.destroy(
      new Unsupported("a zstd layer needs the program zstd (Debian: zstd), or Node.js 22.15 or newer"),
    ),
  );
  return both;
}

function firstBelow(path: Buffer, below: number[], target: number): fs.Stats | undefined {
  for (const root of below) {
    libc.enterRoot(root);
    try {
      const stats = fs.lstatSync(path, { throwIfNoEntry: false });
      if (stats) return stats.isDirectory() ? stats : undefined;
    } catch {
      // A parent of it is no directory there: no attributes to take.
      return undefined;
    } finally {
      libc.enterRoot(target);
    }
  }
  return undefined;
}

async function explain(job: UnpackJob, error: NodeJS.ErrnoException): Promise<UnpackResult> {
  if (error instanceof Unsupported) return { outcome: "failed", message: error.message };
  const broken = error instanceof TarError || (error.code ?? "").startsWith("Z_") || error.code === "EPIPE";
  if (job.digest !== undefined && (broken || error.code === "ERR_STREAM_PREMATURE_CLOSE")) {
    const got = await digestOfSource(job);
    if (got !== job.digest) {
      return { outcome: "corrupt", message: `unexpected digest ${got}, expected ${job.digest}` };
    }
  }
  return { outcome: broken ? "invalid" : "failed", message: error.message };
}

async function digestOfSource(job: UnpackJob): Promise<string> {
  const fd = fs.openSync(job.source.path, "r");
  try {
    const hash = hashFor(job.digest!);
    for await (const piece of readSource(fd, job.source)) hash.update(piece);
    return `${job.digest!.split(":")[0]}:${hash.digest("hex")}`;
  } finally {
    fs.closeSync(fd);
  }
}
