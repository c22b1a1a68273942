import { type LogLine, parseLogLine, timeOf } from "./log-line.ts";

const newline = 0x0a;
const space = 0x20;
/** The letter after "std" tells the streams apart. */
const letterOfStdout = 0x6f;
const letterOfStderr = 0x65;
const tagFull = 0x46;
/** From the time's end to the text, of a whole line: ` stdout F `. */
const middleBytes = 10;
/** A line without end is given up on past this; the engine writes parts of at most 16 KiB. */
const lineBytesMax = 1_024 * 1_024;
/** Up to here a loop copies sooner than a call does. */
const shortBytesMax = 48;

export type LogStream = "All" | "Stdout" | "Stderr";

export interface LogFormat {
  timestamps: boolean;
  sinceMs?: number;
  limitBytes?: number;
  stream: LogStream;
}

export const accepts = (wanted: LogStream, of: "stdout" | "stderr") =>
  wanted === "All" || (wanted === "Stdout" ? of === "stdout" : of === "stderr");

/**
 * From the raw blocks of a log to what the user sees. Works in place: what is left of a line never lies behind where it
 * lay, so that a block is neither copied nor cut into lines. A block is the formatter's from `take` on.
 */
export class LogFormatter {
  readonly #format: LogFormat;
  #rest: Buffer = Buffer.alloc(0);
  #leftBytes: number;
  /** The parts of a line come with a time each; the first one's is the line's. */
  #isInLine = false;
  /** Lines come in order of time: once one is late enough, all are. */
  #isSince: boolean;
  /** How long the last line's time was: the next one's will be as well. */
  #timeBytes = 0;

  constructor(format: LogFormat) {
    this.#format = format;
    this.#leftBytes = format.limitBytes ?? Number.POSITIVE_INFINITY;
    this.#isSince = format.sinceMs === undefined;
  }

  get isFull(): boolean {
    return this.#leftBytes <= 0;
  }

  take(block: Buffer): Buffer {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, block]) : block;
    const end = data.lastIndexOf(newline) + 1;
    this.#rest = data.length - end > lineBytesMax ? Buffer.alloc(0) : data.subarray(end);
    const isTooOld = !this.#isSince && end > 0 && this.#isLastTooOld(data, end);
    const out = data.subarray(0, isTooOld ? 0 : this.#strip(data, end));
    const cut = out.length > this.#leftBytes ? out.subarray(0, this.#leftBytes) : out;
    this.#leftBytes -= cut.length;
    return cut;
  }

  /** Saves reading the times of a whole block. */
  #isLastTooOld(data: Buffer, end: number): boolean {
    const from = end < 2 ? 0 : data.lastIndexOf(newline, end - 2) + 1;
    const last = parseLogLine(data.subarray(from, end - 1));
    return last !== undefined && timeOf(last) < this.#format.sinceMs!;
  }

  /** Makes of the lines up to `end` their text, at the start of `data`; returns how long that is. */
  #strip(data: Buffer, end: number): number {
    let to = 0;
    for (let from = 0; from < end; ) {
      const after = data.indexOf(newline, from) + 1;
      if (this.#isOrdinary(data, from, after)) {
        const start = this.#format.timestamps ? from : from + this.#timeBytes + middleBytes;
        if (this.#format.timestamps) to = move(data, to, start, start + this.#timeBytes + 1);
        to = move(data, to, from + this.#timeBytes + middleBytes, after);
      } else {
        const line = parseLogLine(data.subarray(from, after - 1));
        if (line) to = this.#add(line, data, to);
      }
      from = after;
    }
    return to;
  }

  /** A whole line, wanted, and with the time where the last one's was. */
  #isOrdinary(data: Buffer, from: number, after: number): boolean {
    const at = from + this.#timeBytes;
    if (this.#isInLine || !this.#isSince || this.#timeBytes === 0 || after - at <= middleBytes) return false;
    const letter = data[at + 4];
    const isWanted =
      letter === letterOfStdout ? this.#format.stream !== "Stderr" : this.#format.stream !== "Stdout";
    return (
      isWanted &&
      (letter === letterOfStdout || letter === letterOfStderr) &&
      data[at] === space &&
      data[at + 7] === space &&
      data[at + 8] === tagFull &&
      data[at + 9] === space &&
      data[at - 1]! > space
    );
  }

  #add(line: LogLine, data: Buffer, at: number): number {
    this.#timeBytes = line.time.length;
    if (!accepts(this.#format.stream, line.stream)) return at;
    if (!this.#isSince) {
      if (timeOf(line) < this.#format.sinceMs!) return at;
      this.#isSince = true;
    }
    let to = at;
    if (this.#format.timestamps && !this.#isInLine) {
      to += line.time.copy(data, to);
      data[to++] = space;
    }
    to += line.content.copy(data, to);
    if (!line.isPartial) data[to++] = newline;
    this.#isInLine = line.isPartial;
    return to;
  }
}

function move(data: Buffer, to: number, from: number, end: number): number {
  const bytes = end - from;
  if (bytes <= shortBytesMax) for (let i = 0; i < bytes; i++) data[to + i] = data[from + i]!;
  else data.copyWithin(to, from, end);
  return to + bytes;
}
