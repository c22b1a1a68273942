/**
 * Tar as container tools write it: ustar, GNU long names, PAX. Names are held as latin1 strings, one character a byte,
 * so that any name comes out as it went in.
 *
 * Sparse entries and multi-volume archives are refused: no image builder writes them.
 */

export interface TarEntry {
  name: string;
  type: TarEntryType;
  linkName: string;
  sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  mtimeS: number;
  devMajor: number;
  devMinor: number;
  /** Values as latin1, too. */
  xattrs: ReadonlyMap<string, string>;
}

export type TarEntryType = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

export const tarBlockBytes = 512;
/** Long names and PAX records: more than any file system can hold, far less than memory. */
const metaBytesMax = 1 << 20;

export class TarError extends Error {
  override name = "TarError";
}

interface RawHeader {
  name: string;
  typeFlag: string;
  linkName: string;
  sizeBytes: number;
  mode: number;
  uid: number;
  gid: number;
  mtimeS: number;
  devMajor: number;
  devMinor: number;
}

const entryTypes: Record<string, TarEntryType> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("latin1", start, end < 0 || end > start + length ? start + length : end);
}

function number(block: Buffer, start: number, length: number): number {
  const first = block[start]!;
  if (first & 0x80) {
    // GNU's base-256 two's complement, for what octal digits cannot hold.
    let value = first === 0xff ? -1 : first & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + block[start + i]!;
    if (!Number.isSafeInteger(value)) throw new TarError("a number in a tar header is too large");
    return value;
  }
  const digits = text(block, start, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new TarError("invalid tar header");
  return Number.parseInt(digits, 8);
}

function decodeHeader(block: Buffer): RawHeader {
  let sum = 8 * 32;
  for (let i = 0; i < tarBlockBytes; i++) if (i < 148 || i >= 156) sum += block[i]!;
  if (sum !== number(block, 148, 8)) throw new TarError("invalid tar header: its checksum does not match");
  const magic = block.toString("latin1", 257, 263);
  const prefix = magic === "ustar\0" ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  const isDevice = block[156] === 0x33 || block[156] === 0x34;
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    typeFlag: String.fromCharCode(block[156]!),
    linkName: text(block, 157, 100),
    sizeBytes: number(block, 124, 12),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    mtimeS: number(block, 136, 12),
    devMajor: isDevice ? number(block, 329, 8) : 0,
    devMinor: isDevice ? number(block, 337, 8) : 0,
  };
}

function decodePax(body: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(body.toString("latin1", at, space));
    const end = at + length;
    if (!Number.isInteger(length) || end > body.length || end <= space || body[end - 1] !== 0x0a) {
      throw new TarError("invalid PAX record");
    }
    const equals = body.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw new TarError("invalid PAX record");
    records.set(body.toString("latin1", space + 1, equals), body.toString("latin1", equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** Turns header blocks into entries, holding what GNU and PAX extension entries say about the next one. */
export class TarHeaders {
  #longName: string | undefined;
  #longLink: string | undefined;
  #pax = new Map<string, string>();
  #globalPax = new Map<string, string>();

  /** For a header block: the entry, or that its body (of `metaBytes`) must first be given to `meta`. */
  next(block: Buffer): { entry: TarEntry } | { metaBytes: number; typeFlag: string } {
    const raw = decodeHeader(block);
    if ("LKxg".includes(raw.typeFlag)) {
      if (raw.sizeBytes > metaBytesMax) throw new TarError("a tar extension header is too large");
      return { metaBytes: raw.sizeBytes, typeFlag: raw.typeFlag };
    }
    const entry = this.#entry(raw);
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#pax = new Map();
    return { entry };
  }

  meta(typeFlag: string, body: Buffer): void {
    if (typeFlag === "L") this.#longName = text(body, 0, body.length);
    else if (typeFlag === "K") this.#longLink = text(body, 0, body.length);
    else if (typeFlag === "x") this.#pax = decodePax(body);
    else for (const [key, value] of decodePax(body)) this.#globalPax.set(key, value);
  }

  #entry(raw: RawHeader): TarEntry {
    const pax = (key: string) => this.#pax.get(key) ?? this.#globalPax.get(key);
    const paxNumber = (key: string, otherwise: number) => {
      const value = pax(key);
      if (value === undefined) return otherwise;
      const parsed = Number(value);
      if (!Number.isFinite(parsed) || value === "") throw new TarError(`invalid PAX record ${key}`);
      return parsed;
    };
    const type = entryTypes[raw.typeFlag];
    if (type === undefined) {
      throw new TarError(
        `unsupported tar entry type ${JSON.stringify(raw.typeFlag)} of ${JSON.stringify(raw.name)}`,
      );
    }
    const xattrs = new Map<string, string>();
    for (const [key, value] of this.#pax) {
      if (key.startsWith("GNU.sparse."))
        throw new TarError(`unsupported sparse tar entry ${JSON.stringify(raw.name)}`);
      if (key.startsWith("SCHILY.xattr.")) xattrs.set(key.slice("SCHILY.xattr.".length), value);
    }
    const sizeBytes = paxNumber("size", raw.sizeBytes);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw new TarError("invalid size of a tar entry");
    const name = pax("path") ?? this.#longName ?? raw.name;
    return {
      name,
      // Before ustar a directory was a file whose name ended so.
      type: type === "file" && name.endsWith("/") ? "directory" : type,
      linkName: pax("linkpath") ?? this.#longLink ?? raw.linkName,
      sizeBytes: type === "file" ? sizeBytes : 0,
      mode: raw.mode,
      uid: paxNumber("uid", raw.uid),
      gid: paxNumber("gid", raw.gid),
      mtimeS: paxNumber("mtime", raw.mtimeS),
      devMajor: raw.devMajor,
      devMinor: raw.devMinor,
      xattrs,
    };
  }
}

/** What a {@link TarStream} calls, in order, synchronously. */
export interface TarSink {
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content; the buffer is only lent. */
  data(piece: Buffer): void;
  entryEnd(): void;
}

export function paddedToBlock(bytes: number): number {
  return Math.ceil(bytes / tarBlockBytes) * tarBlockBytes;
}

/** A push parser: `write` pieces of any size, then `end`. */
export class TarStream {
  readonly #sink: TarSink;
  readonly #headers = new TarHeaders();
  /** A header block or an extension's body, being gathered. */
  #gathered = Buffer.alloc(0);
  #wanted = tarBlockBytes;
  #metaType: string | undefined;
  #metaBytes = 0;
  #dataLeft = 0;
  #inData = false;
  #padding = 0;
  #ended = false;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  write(piece: Buffer): void {
    let at = 0;
    while (at < piece.length && !this.#ended) {
      if (this.#dataLeft > 0) {
        const take = Math.min(this.#dataLeft, piece.length - at);
        this.#sink.data(piece.subarray(at, at + take));
        this.#dataLeft -= take;
        at += take;
        if (this.#dataLeft === 0) this.#finishEntry();
      } else if (this.#padding > 0) {
        const take = Math.min(this.#padding, piece.length - at);
        this.#padding -= take;
        at += take;
      } else {
        at += this.#gather(piece, at);
      }
    }
  }

  /** @throws TarError when the archive stops in the middle of an entry. */
  end(): void {
    // The two zero blocks at the end are often left out.
    if (this.#dataLeft > 0 || this.#metaType !== undefined || this.#gathered.length > 0) {
      throw new TarError("unexpected end of tar archive");
    }
  }

  #gather(piece: Buffer, at: number): number {
    const missing = this.#wanted - this.#gathered.length;
    const take = Math.min(missing, piece.length - at);
    const part = piece.subarray(at, at + take);
    if (this.#gathered.length === 0 && take === this.#wanted) this.#block(part);
    else {
      this.#gathered = Buffer.concat([this.#gathered, part]);
      if (this.#gathered.length === this.#wanted) {
        const whole = this.#gathered;
        this.#gathered = Buffer.alloc(0);
        this.#block(whole);
      }
    }
    return take;
  }

  #block(block: Buffer): void {
    if (this.#metaType !== undefined) {
      this.#headers.meta(this.#metaType, block.subarray(0, this.#metaBytes));
      this.#metaType = undefined;
      this.#wanted = tarBlockBytes;
      return;
    }
    if (isZeroBlock(block)) {
      this.#ended = true;
      return;
    }
    const next = this.#headers.next(block);
    if ("entry" in next) {
      this.#sink.entry(next.entry);
      this.#inData = true;
      this.#dataLeft = next.entry.sizeBytes;
      this.#padding = paddedToBlock(next.entry.sizeBytes) - next.entry.sizeBytes;
      if (this.#dataLeft === 0) this.#finishEntry();
    } else {
      this.#metaType = next.typeFlag;
      this.#metaBytes = next.metaBytes;
      this.#wanted = paddedToBlock(next.metaBytes);
      if (this.#wanted === 0) {
        this.#metaType = undefined;
        this.#wanted = tarBlockBytes;
      }
    }
  }

  #finishEntry(): void {
    if (!this.#inData) return;
    this.#inData = false;
    this.#sink.entryEnd();
  }
}

export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < tarBlockBytes; i++) if (block[i] !== 0) return false;
  return true;
}
