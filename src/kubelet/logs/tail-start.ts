import type { FileHandle } from "node:fs/promises";
import { parseLogLine } from "./log-line.ts";

const blockBytes = 64 * 1_024;
const newline = 0x0a;

/** Where reading must begin for the last lines of a file; `missing`: as many more are wanted from the file before. */
export interface TailStart {
  offset: number;
  missing: number;
}

/**
 * Finds the start of the last `count` whole lines, reading from the end. A line in parts counts once, so its parts
 * before the last one belong to it.
 */
export async function tailStart(
  file: FileHandle,
  sizeBytes: number,
  count: number,
  accepts: (stream: "stdout" | "stderr") => boolean,
): Promise<TailStart> {
  if (count === 0) return { offset: sizeBytes, missing: 0 };
  let missing = count;
  let end = sizeBytes;
  let rest: Buffer = Buffer.alloc(0);
  /** Start of the earliest line taken so far; earlier parts of it still move it back. */
  let offset = sizeBytes;
  while (end > 0) {
    const length = Math.min(blockBytes, end);
    const block = Buffer.alloc(length);
    await file.read(block, 0, length, end - length);
    end -= length;
    let data: Buffer = rest.length > 0 ? Buffer.concat([block, rest]) : block;
    for (;;) {
      // The newline that ends the line before the last one in `data`.
      const at = data.length > 1 ? data.lastIndexOf(newline, data.length - 2) : -1;
      if (at < 0 && end > 0) break;
      if (data.length === 0) break;
      const line = parseLogLine(trimmed(data.subarray(at + 1)));
      const start = end + at + 1;
      if (line && accepts(line.stream)) {
        if (!line.isPartial) {
          if (missing === 0) return { offset, missing };
          missing--;
        }
        offset = start;
      }
      data = data.subarray(0, at + 1);
      if (at < 0) break;
    }
    rest = data;
  }
  return { offset: missing > 0 ? 0 : offset, missing };
}

const trimmed = (line: Buffer) => (line.at(-1) === newline ? line.subarray(0, -1) : line);
