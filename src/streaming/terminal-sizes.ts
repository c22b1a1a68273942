import type { Readable } from "node:stream";
import type { TerminalSize } from "../client/index.ts";

/** A size is 30 characters of JSON; what does not look like one by then never will. */
const pendingLengthMax = 1024;

/**
 * The sizes that a client sends over a resize stream: JSON objects, one after the other. Only the newest that was not
 * asked for yet is kept, for nobody wants the ones before.
 */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #pending = "";
  #newest: TerminalSize | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;

  constructor(source: Readable) {
    source.on("data", (piece: Buffer) => this.#receive(piece));
    source.once("close", () => {
      this.#isEnded = true;
      this.#wake?.();
    });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<TerminalSize> {
    for (;;) {
      if (this.#newest) {
        const size = this.#newest;
        this.#newest = undefined;
        yield size;
      } else if (this.#isEnded) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #receive(piece: Buffer): void {
    this.#pending = (this.#pending + piece.toString("latin1")).slice(-pendingLengthMax);
    for (let end = this.#pending.indexOf("}"); end >= 0; end = this.#pending.indexOf("}")) {
      const text = this.#pending.slice(0, end + 1);
      this.#pending = this.#pending.slice(end + 1);
      const size = parseSize(text);
      if (size) this.#newest = size;
    }
    this.#wake?.();
  }
}

/** Go's `TerminalSize`: `{"Width":80,"Height":24}`, each a uint16. */
function parseSize(text: string): TerminalSize | undefined {
  let value: { Width?: unknown; Height?: unknown };
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { Width: columns, Height: rows } = value;
  const isSize = (n: unknown): n is number =>
    Number.isInteger(n) && (n as number) >= 0 && (n as number) < 65536;
  return isSize(columns) && isSize(rows) ? { columns, rows } : undefined;
}
