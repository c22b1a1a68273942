/*
 * CRI's log format, a line each: `2026-01-02T03:04:05.678901234Z stdout F the text`; the tag is `F` for a whole line (or
 * the last part of one) and `P` for a part that the next one continues.
 */

export interface LogLine {
  /** The whole text of the time. */
  time: Buffer;
  stream: "stdout" | "stderr";
  isPartial: boolean;
  /** Without the newline. */
  content: Buffer;
}

const space = 0x20;
const tagPartial = 0x50;
const stdoutText = "stdout";
const stderrText = "stderr";

/** Undefined for what is not such a line (one being written, or torn by a crash). `line` has no newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(space);
  if (first < 20) return undefined;
  const second = line.indexOf(space, first + 1);
  if (second !== first + 7) return undefined;
  // The letter after "std" tells the streams apart.
  const isOut = line[first + 4] === 0x6f;
  const stream = isOut ? stdoutText : stderrText;
  if (line.toString("latin1", first + 1, second) !== stream) return undefined;
  const third = line.indexOf(space, second + 1);
  const tagEnd = third < 0 ? line.length : third;
  return {
    time: line.subarray(0, first),
    stream,
    isPartial: line[second + 1] === tagPartial && (tagEnd === second + 2 || line[second + 2] === 0x3a),
    content: third < 0 ? line.subarray(line.length) : line.subarray(third + 1),
  };
}

/** Milliseconds since the epoch, with a fraction. */
export function timeOf({ time }: LogLine): number {
  const text = time.toString("latin1");
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}
