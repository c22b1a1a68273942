import { badRequest, StatusError } from "../../machinery/index.ts";
import type { Revision } from "../../store/index.ts";

/** What `resourceVersion` asks for; 0: any. Throws a 400 for what is no number. */
export function parseResourceVersion(text: string): Revision {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw badRequest(`invalid resource version: ${JSON.stringify(text)}: it must be a decimal number`);
  }
  return value;
}

/** What clients wait for, and recognize by the cause. As `storage.NewTooLargeResourceVersionError`. */
export function requireNotFuture(asked: Revision, head: Revision): void {
  if (asked > head) throw tooLargeResourceVersion(asked, head);
}

export function tooLargeResourceVersion(asked: Revision, head: Revision): StatusError {
  return new StatusError(504, "Timeout", `Too large resource version: ${asked}, current: ${head}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}
