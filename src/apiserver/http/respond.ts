import type { Log } from "../../base/index.ts";
import { internalError, requestEntityTooLarge, StatusError } from "../../machinery/index.ts";
import { NoSpaceError, TooLargeError } from "../../store/index.ts";
import { warningBytesMax } from "../limits.ts";
import type { Exchange } from "./exchange.ts";

/** Bodies above this are not indented: it would hold the event loop for no reader. */
const prettyBytesMax = 512 * 1024;

/** What every answer says. */
export function baseHeaders(auditId: string, warnings: readonly string[]): string[] {
  const headers = ["audit-id", auditId, "cache-control", "no-cache, private"];
  let bytes = 0;
  for (const warning of warnings) {
    bytes += warning.length;
    if (bytes > warningBytesMax) break;
    headers.push("warning", `299 - ${quoted(warning)}`);
  }
  return headers;
}

/** As RFC 7234 wants a warning's text; what a header cannot carry is left out. */
function quoted(text: string): string {
  const plain = text.replace(/[\x00-\x1f\x7f]/g, " ").replace(/[^\x20-\xff]/g, "?");
  return `"${plain.replace(/[\\"]/g, "\\$&")}"`;
}

/** As the failure that a client sees. What is our own fault goes to the log. */
export function failureOf(error: unknown, log: Log): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof TooLargeError) return requestEntityTooLarge(error.message);
  if (error instanceof NoSpaceError) return internalError("no space left on the store's device");
  log.error({ err: error }, "a request failed for a reason of the server's own");
  return internalError(error instanceof Error ? error.message : String(error));
}

export function sendFailure(exchange: Exchange, headers: readonly string[], failure: StatusError): void {
  const retryAfterS = failure.status.details?.retryAfterSeconds;
  const extra = retryAfterS === undefined ? [] : ["retry-after", String(retryAfterS)];
  const body = Buffer.from(
    `${JSON.stringify(failure.status, null, isForPeople(exchange) ? 2 : undefined)}\n`,
  );
  exchange.send(failure.code, [...headers, ...extra, "content-type", "application/json"], body);
}

/** JSON for a person: asked for by parameter, or by a client that people use. As `responsewriters.isPrettyPrint`. */
export function isForPeople(exchange: Exchange, pretty?: string): boolean {
  if (pretty !== undefined) return pretty !== "0" && pretty !== "false";
  return /^(curl|Wget|Mozilla\/5\.0)/.test(exchange.header("user-agent") ?? "");
}

/** Indented, if it is JSON and not too long for that. */
export function indented(mediaType: string, body: Buffer): Buffer {
  if (mediaType !== "application/json" || body.length > prettyBytesMax) return body;
  return Buffer.from(`${JSON.stringify(JSON.parse(body.toString()), null, 2)}\n`);
}
