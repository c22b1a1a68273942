import type { Readable } from "node:stream";
import type { Clock } from "../../base/index.ts";
import { badRequest, requestEntityTooLarge, timeout, tooManyRequests } from "../../machinery/index.ts";
import { bodiesInFlightMax, bodyBytesInFlightMax, requestMsMax, retryAfterS } from "../limits.ts";

/**
 * Of a body that is too large, this much is read and thrown away: a client that writes all before it reads would
 * otherwise see a broken connection in place of the 413.
 */
const discardedBytesMax = 64 * 1024 * 1024;

/** What the bodies that are still coming hold, of all connections. */
export class BodyBudget {
  #bodies = 0;
  #bytes = 0;

  get isSpent(): boolean {
    return this.#bodies >= bodiesInFlightMax || this.#bytes >= bodyBytesInFlightMax;
  }

  begin(): void {
    this.#bodies++;
  }

  take(bytes: number): void {
    this.#bytes += bytes;
  }

  end(bytes: number): void {
    this.#bodies--;
    this.#bytes -= bytes;
  }
}

/**
 * Reads a body as a whole. Throws a 413 past `bytesMax`, a 504 when it takes too long, a 400 when it is cut off, a 429
 * when too much of others is coming.
 */
export function readAll(
  stream: Readable,
  parts: { clock: Clock; budget: BodyBudget },
  options: { declared: string | undefined; bytesMax: number },
): Promise<Buffer> {
  const { bytesMax } = options;
  const { clock, budget } = parts;
  const tooLarge = () => requestEntityTooLarge(`Request entity too large: limit is ${bytesMax}`);
  const readBytesMax = bytesMax + discardedBytesMax;
  if (Number(options.declared ?? 0) > readBytesMax) return Promise.reject(tooLarge());
  const tooMuch = () => tooManyRequests("Too many requests, please try again later.", retryAfterS);
  if (budget.isSpent) return Promise.reject(tooMuch());
  budget.begin();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let heldBytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) {
        chunks.push(chunk);
        heldBytes += chunk.length;
        budget.take(chunk.length);
        if (budget.isSpent) fail(tooMuch());
      } else if (bytes > readBytesMax) fail(tooLarge());
      else chunks.length = 0;
    };
    const onEnd = () => {
      if (bytes > bytesMax) return fail(tooLarge());
      settle();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    };
    const onCut = () => fail(badRequest("the body of the request was cut off"));
    const timer = clock.after(requestMsMax, () =>
      fail(timeout("the body of the request did not arrive in time")),
    );
    const settle = () => {
      budget.end(heldBytes);
      timer.cancel();
      stream.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
    };
    const fail = (error: Error) => {
      settle();
      reject(error);
    };
    stream.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
  });
}
