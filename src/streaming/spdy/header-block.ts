import { createInflate, type Inflate } from "node:zlib";
import { headerDictionary } from "./dictionary.ts";

/** More than any client of Kubernetes sends by far; a compressed bomb ends here. */
const blockBytesMax = 64 * 1024;
const headersMax = 100;

/** Names are lower case, as SPDY/3 demands. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Reads header blocks, in the order in which they come: each continues the compression of the one before. */
export class HeaderReader {
  readonly #inflate: Inflate;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor() {
    this.#inflate = createInflate({ dictionary: headerDictionary });
    this.#inflate.on("data", (piece: Buffer) => {
      this.#bytes += piece.length;
      if (this.#bytes <= blockBytesMax) this.#pieces.push(piece);
    });
    // Told to the writer below as well.
    this.#inflate.on("error", () => {});
  }

  read(block: Buffer, done: (error: Error | undefined, headers: SpdyHeaders) => void): void {
    this.#inflate.write(block, (error) => {
      const plain = Buffer.concat(this.#pieces);
      const isTooLarge = this.#bytes > blockBytesMax;
      this.#pieces = [];
      this.#bytes = 0;
      if (error || isTooLarge) return done(error ?? new Error("a header block is too large"), new Map());
      let headers: SpdyHeaders;
      try {
        headers = decode(plain);
      } catch (failure) {
        return done(failure as Error, new Map());
      }
      done(undefined, headers);
    });
  }

  close(): void {
    this.#inflate.destroy();
  }
}

function decode(plain: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let at = 0;
  const number = () => {
    const value = plain.readUInt32BE(at);
    at += 4;
    return value;
  };
  const text = () => {
    const length = number();
    if (at + length > plain.length) throw new Error("a header block is cut off");
    at += length;
    return plain.toString("utf8", at - length, at);
  };
  const count = number();
  if (count > headersMax) throw new Error("too many headers");
  for (let i = 0; i < count; i++) {
    const name = text();
    headers.set(name.toLowerCase(), text());
  }
  return headers;
}

/** CMF and FLG of zlib with a preset dictionary, and the dictionary's Adler-32. */
const zlibStart = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);
/** An empty stored block, as after a sync flush: Go's reader gives out what it has only at that. */
const flush = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** All that a server of Kubernetes' protocols has to answer. */
export const noHeaders: SpdyHeaders = new Map();

/** Writes header blocks as stored (not compressed) blocks of deflate: they are few and short. */
export class HeaderWriter {
  #isStarted = false;

  /** Together below 64 KiB. */
  write(headers: SpdyHeaders): Buffer {
    const plain = encode(headers);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(plain.length, 1);
    stored.writeUInt16LE(~plain.length & 0xffff, 3);
    const start = this.#isStarted ? [] : [zlibStart];
    this.#isStarted = true;
    return Buffer.concat([...start, stored, plain, flush]);
  }
}

function encode(headers: SpdyHeaders): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    return [number(bytes.length), bytes];
  };
  const pairs = [...headers].flatMap(([name, value]) => [...text(name), ...text(value)]);
  return Buffer.concat([number(headers.size), ...pairs]);
}
