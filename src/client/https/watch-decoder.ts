import { deepFreeze } from "../../base/index.ts";
import { internalError, type Status, StatusError } from "../../machinery/index.ts";
import type { WatchEvent } from "../transport.ts";

/** An object has at most 1.5 MiB; managed fields and escapes may come on top. */
export const lineBytesMax = 8 * 2 ** 20;

const newline = 0x0a;

/** Cuts a stream of JSON lines into watch events. */
export class WatchDecoder {
  #partial: Buffer[] = [];
  #partialBytes = 0;

  /** The events that `chunk` completes. Throws the `StatusError` of an ERROR event, once the events before it are out. */
  *decode(chunk: Buffer): Generator<WatchEvent<any>[]> {
    const events: WatchEvent<any>[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const line = this.#take(chunk.subarray(start, end));
      start = end + 1;
      if (line.length === 0) continue;
      const event = JSON.parse(line.toString("utf8"));
      if (event.type === "ERROR") {
        if (events.length > 0) yield events;
        throw StatusError.from(event.object as Status);
      }
      events.push(deepFreeze(event));
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
    if (events.length > 0) yield events;
  }

  #take(rest: Buffer): Buffer {
    if (this.#partialBytes === 0) return rest;
    const line = Buffer.concat([...this.#partial, rest]);
    this.#partial = [];
    this.#partialBytes = 0;
    return line;
  }

  #keep(part: Buffer): void {
    this.#partial.push(part);
    this.#partialBytes += part.length;
    if (this.#partialBytes > lineBytesMax) throw internalError(`a watch event exceeds ${lineBytesMax} bytes`);
  }
}
