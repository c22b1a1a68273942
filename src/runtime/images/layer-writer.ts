import * as fs from "node:fs";
import type { Libc } from "./libc.ts";
import { type TarEntry, TarError, type TarSink } from "./tar.ts";

/**
 * Writes one layer's entries to `/`, which the caller has made the layer's own directory (chroot): however a name or a
 * link is built, nothing outside can be reached.
 *
 * - Whiteouts take overlayfs' form: `.wh.NAME` a character device 0:0, `.wh..wh..opq` the xattr `trusted.overlay.opaque`.
 * - A whiteout hides what is below, never an entry of its own layer, whatever their order.
 * - Owners, modes, times (to the microsecond) and xattrs are the archive's. Directories get their times at the end.
 * - Counterpart: containerd's `archive.applyNaive` with its overlay converter.
 */
export interface LayerWriterOptions {
  libc: Libc;
  /** The attributes that a directory has in the layers below; for one that this layer implies but does not hold. */
  below: (path: Buffer) => fs.Stats | undefined;
  warn: (message: string) => void;
}

const whiteoutPrefix = ".wh.";
const opaqueWhiteout = ".wh..wh..opq";
const charDeviceMode = 0o020000;
const blockDeviceMode = 0o060000;
const fifoMode = 0o010000;

/** Nodes that give no access to this machine; the others would, to whoever mounts the layer without `nodev`. */
const harmlessDevices = new Set(["1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:2"]);

export class LayerWriter implements TarSink {
  readonly #options: LayerWriterOptions;
  /** Directories known to be there, made by this layer. */
  readonly #directories = new Set<string>([""]);
  readonly #whiteouts = new Set<string>();
  readonly #directoryTimes = new Map<string, number>();
  #file: { fd: number; entry: TarEntry; name: string } | undefined;
  #writtenBytes = 0;
  #entries = 0;

  constructor(options: LayerWriterOptions) {
    this.#options = options;
    this.#implied("");
  }

  /** The content of regular files, and one block for each entry. */
  get sizeBytes(): number {
    return this.#writtenBytes + this.#entries * 512;
  }

  entry(entry: TarEntry): void {
    this.#entries++;
    const name = cleanName(entry.name);
    const slash = name.lastIndexOf("/");
    const parent = slash < 0 ? "" : name.slice(0, slash);
    const base = name.slice(slash + 1);
    this.#makeParents(parent);
    if (base === opaqueWhiteout) this.#makeOpaque(parent);
    else if (base.startsWith(".wh..wh."))
      return; // Bookkeeping of aufs, never content.
    else if (base.startsWith(whiteoutPrefix)) this.#hide(join(parent, base.slice(whiteoutPrefix.length)));
    else this.#make(entry, name);
  }

  data(piece: Buffer): void {
    if (!this.#file) return;
    for (let at = 0; at < piece.length; ) at += fs.writeSync(this.#file.fd, piece, at, piece.length - at);
    this.#writtenBytes += piece.length;
  }

  entryEnd(): void {
    if (!this.#file) return;
    const { fd, entry, name } = this.#file;
    this.#file = undefined;
    try {
      fs.fchownSync(fd, entry.uid, entry.gid);
      // After the owner: changing that clears setuid, and file capabilities.
      fs.fchmodSync(fd, entry.mode);
      this.#setXattrs(entry, name);
      fs.futimesSync(fd, entry.mtimeS, entry.mtimeS);
    } finally {
      fs.closeSync(fd);
    }
  }

  /** Everything has come. */
  end(): void {
    for (const [name, mtimeS] of this.#directoryTimes) {
      if (fs.lstatSync(at(name), { throwIfNoEntry: false })?.isDirectory()) {
        fs.lutimesSync(at(name), mtimeS, mtimeS);
      }
    }
  }

  /** Lets go of a half-written file. */
  abort(): void {
    if (this.#file) fs.closeSync(this.#file.fd);
    this.#file = undefined;
  }

  #make(entry: TarEntry, name: string): void {
    const path = at(name);
    const existing = fs.lstatSync(path, { throwIfNoEntry: false });
    const hidesBelow = this.#whiteouts.delete(name);
    const keep = existing?.isDirectory() && entry.type === "directory";
    if (existing && !keep) this.#removeTree(name);
    switch (entry.type) {
      case "directory":
        if (!keep) fs.mkdirSync(path, 0o700);
        this.#directories.add(name);
        this.#directoryTimes.set(name, entry.mtimeS);
        this.#setOwnerAndMode(entry, name);
        if (hidesBelow) this.#makeOpaque(name);
        return;
      case "file": {
        const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
        this.#file = { fd: fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600), entry, name };
        return;
      }
      case "hardlink":
        this.#link(entry, path);
        return;
      case "symlink":
        fs.symlinkSync(Buffer.from(entry.linkName, "latin1"), path);
        fs.lchownSync(path, entry.uid, entry.gid);
        this.#setXattrs(entry, name);
        fs.lutimesSync(path, entry.mtimeS, entry.mtimeS);
        return;
      case "char":
      case "block":
      case "fifo":
        this.#makeNode(entry, name);
        return;
    }
  }

  #link(entry: TarEntry, path: Buffer): void {
    const target = cleanName(entry.linkName);
    try {
      fs.linkSync(at(target), path);
    } catch (error) {
      throw new TarError(
        `hard link ${JSON.stringify(entry.name)} to ${JSON.stringify(entry.linkName)}: ${(error as NodeJS.ErrnoException).code}`,
      );
    }
  }

  #makeNode(entry: TarEntry, name: string): void {
    const device = `${entry.devMajor}:${entry.devMinor}`;
    if (entry.type !== "fifo" && !(entry.type === "char" && harmlessDevices.has(device))) {
      this.#options.warn(`device node ${JSON.stringify(entry.name)} (${entry.type} ${device}) left out`);
      return;
    }
    const kind = entry.type === "fifo" ? fifoMode : entry.type === "char" ? charDeviceMode : blockDeviceMode;
    this.#options.libc.mknod(at(name), kind | 0o600, entry.devMajor, entry.devMinor);
    this.#setOwnerAndMode(entry, name);
    fs.lutimesSync(at(name), entry.mtimeS, entry.mtimeS);
  }

  #setOwnerAndMode(entry: TarEntry, name: string): void {
    fs.lchownSync(at(name), entry.uid, entry.gid);
    fs.chmodSync(at(name), entry.mode);
    this.#setXattrs(entry, name);
  }

  #setXattrs(entry: TarEntry, name: string): void {
    for (const [key, value] of entry.xattrs) {
      // `trusted.overlay.*` would let an image steer the overlay that it becomes part of.
      if (key.startsWith("trusted.")) {
        this.#options.warn(`xattr ${key} of ${JSON.stringify(entry.name)} left out`);
        continue;
      }
      try {
        this.#options.libc.lsetxattr(at(name), key, Buffer.from(value, "latin1"));
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        // As containerd: what this file system cannot hold is not worth failing for, except capabilities.
        if (
          (code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "EPERM") ||
          key === "security.capability"
        ) {
          throw error;
        }
        this.#options.warn(`xattr ${key} of ${JSON.stringify(entry.name)} left out: ${code}`);
      }
    }
  }

  /** Whiteout of `name`: unless this layer holds it itself, for then only what is below it is hidden. */
  #hide(name: string): void {
    const existing = fs.lstatSync(at(name), { throwIfNoEntry: false });
    if (existing?.isDirectory()) this.#makeOpaque(name);
    if (existing) return;
    this.#options.libc.mknod(at(name), charDeviceMode, 0, 0);
    this.#whiteouts.add(name);
  }

  #makeOpaque(name: string): void {
    this.#options.libc.lsetxattr(at(name), "trusted.overlay.opaque", Buffer.from("y"));
  }

  #makeParents(parent: string): void {
    if (this.#directories.has(parent)) return;
    const slash = parent.lastIndexOf("/");
    this.#makeParents(slash < 0 ? "" : parent.slice(0, slash));
    const existing = fs.statSync(at(parent), { throwIfNoEntry: false });
    if (!existing?.isDirectory()) {
      const hidesBelow = this.#whiteouts.delete(parent);
      if (existing || hidesBelow) this.#removeTree(parent);
      fs.mkdirSync(at(parent), 0o755);
      this.#implied(parent);
      if (hidesBelow) this.#makeOpaque(parent);
    }
    this.#directories.add(parent);
  }

  /** A directory that the archive did not describe looks as it does below, for overlayfs shows the topmost's attributes. */
  #implied(name: string): void {
    const below = this.#options.below(at(name));
    const path = at(name);
    fs.chmodSync(path, 0o755);
    if (!below) return;
    fs.lchownSync(path, below.uid, below.gid);
    fs.chmodSync(path, below.mode & 0o7777);
    this.#directoryTimes.set(name, below.mtimeMs / 1000);
  }

  #removeTree(name: string): void {
    fs.rmSync(at(name), { recursive: true, force: true });
    for (const set of [this.#directories, this.#whiteouts]) {
      for (const known of set) if (known === name || known.startsWith(`${name}/`)) set.delete(known);
    }
  }
}

function at(name: string): Buffer {
  return Buffer.from(`/${name}`, "latin1");
}

function join(parent: string, base: string): string {
  if (base === "" || base === "." || base === "..") throw new TarError("a whiteout of nothing");
  return parent === "" ? base : `${parent}/${base}`;
}

/** `./usr//bin/` → `usr/bin`; the root is empty. @throws TarError for a name that leads outside. */
function cleanName(name: string): string {
  if (name.includes("\0")) throw new TarError("a name in the archive holds a zero byte");
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined)
      throw new TarError(`${JSON.stringify(name)} points outside the layer`);
  }
  return parts.join("/");
}
