import type { Readable } from "node:stream";
import type { Clock } from "../../base/index.ts";
import { badRequest, requestEntityTooLarge, timeout } from "../../machinery/index.ts";
import { requestMsMax } from "../limits.ts";

/**
 * Of a body that is too large, this much is read and thrown away: a client that writes all before it reads would
 * otherwise see a broken connection in place of the 413.
 */
const discardedBytesMax = 64 * 1024 * 1024;

/** Reads a body as a whole. Throws a 413 past `bytesMax`, a 504 when it takes too long, a 400 when it is cut off. */
export function readAll(
  stream: Readable,
  clock: Clock,
  options: { declared: string | undefined; bytesMax: number },
): Promise<Buffer> {
  const { bytesMax } = options;
  const tooLarge = () => requestEntityTooLarge(`Request entity too large: limit is ${bytesMax}`);
  const readBytesMax = bytesMax + discardedBytesMax;
  if (Number(options.declared ?? 0) > readBytesMax) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else if (bytes > readBytesMax) fail(tooLarge());
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
