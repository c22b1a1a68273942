import { isIP } from "node:net";
import type { corev1 } from "../../api/index.ts";
import type { Dialer } from "../../runtime/index.ts";
import { bodyBytesMax, requestHeaders, urlOf } from "./http-get.ts";

/** As Node's own client: headers longer than this are no answer. */
const headBytesMax = 16 * 1_024;

export interface PlainAnswer {
  statusCode: number;
  body: string;
  location: string | undefined;
}

/** A GET that a dialer can make: without TLS, to an address. */
export interface PlainRequest {
  url: string;
  to: { host: string; port: number };
  bytes: Buffer;
}

/** An action's request is the same each time: made once for each address it goes to. */
const known = new WeakMap<corev1.HTTPGetAction, PlainRequest>();

/** Undefined for a request that is not plain. Throws for an action that makes none. */
export function plainRequestOf(
  action: corev1.HTTPGetAction,
  container: corev1.Container,
  podIp: string,
  userAgent: string,
): PlainRequest | undefined {
  const host = action.host || podIp;
  const before = known.get(action);
  if (before?.to.host === host) return before;
  if ((action.scheme ?? "HTTP") !== "HTTP" || isIP(host) === 0) return undefined;
  const url = urlOf(action, container, podIp);
  const { pathname, port, search } = new URL(url);
  const headers = requestHeaders(action.httpHeaders ?? [], userAgent);
  const ofHost = headers.find(([name]) => name.toLowerCase() === "host")?.[1];
  const lines = [
    `GET ${pathname}${search} HTTP/1.1`,
    `Host: ${ofHost ?? url.split("/")[2]}`,
    ...headers.filter(([name]) => name.toLowerCase() !== "host").map(([name, value]) => `${name}: ${value}`),
    "Connection: close",
  ];
  const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
  const request = { url, to: { host, port: Number(port || 80) }, bytes };
  known.set(action, request);
  return request;
}

/** Undefined: no answer in time. */
export async function plainGet(
  dialer: Dialer,
  { bytes, to }: PlainRequest,
  timeoutMs: number,
): Promise<PlainAnswer | undefined> {
  const reader = new AnswerReader();
  const end = await dialer.exchange(to, bytes, { timeoutMs, onData: (piece) => reader.take(piece) });
  return end === "timeout" || end === "unreached" ? undefined : reader.answer();
}

/** What an answer says before its body. */
interface Head {
  statusCode: number;
  location: string | undefined;
  length: number | undefined;
  isChunked: boolean;
  bodyAt: number;
}

/** Reads one HTTP/1 answer, as much of its body as is of interest. Mostly it comes in one piece, and nothing is kept. */
export class AnswerReader {
  /** What came before, where that was not all. */
  #bytes: Buffer = Buffer.alloc(0);
  #head: Head | undefined;
  #answer: PlainAnswer | undefined;
  /** Why what came is no answer. */
  #trouble: string | undefined;

  take(piece: Buffer): "more" | "enough" {
    const bytes = this.#bytes.length === 0 ? piece : Buffer.concat([this.#bytes, piece]);
    if (!this.#head) {
      const head = readHead(bytes);
      if (typeof head === "string") {
        this.#trouble = head;
        return "enough";
      }
      this.#head = head;
    }
    if (this.#head && isWhole(this.#head, bytes)) {
      this.#answer = answerOf(this.#head, bytes);
      return "enough";
    }
    this.#bytes = bytes === piece ? Buffer.from(piece) : bytes;
    return "more";
  }

  /** What was read when no more came. Throws for what is no answer, or half of one. */
  answer(): PlainAnswer {
    if (this.#answer) return this.#answer;
    if (this.#trouble) throw new Error(this.#trouble);
    if (!this.#head) throw new Error(this.#bytes.length === 0 ? "EOF" : "unexpected EOF");
    if (this.#head.isChunked || this.#head.length !== undefined) throw new Error("unexpected EOF");
    return answerOf(this.#head, this.#bytes);
  }
}

const [carriageReturn, lineFeed, space, zero, colon] = [13, 10, 32, 48, 58] as const;
/** By the length of their names, which hardly any other shares. */
const contentLength = "content-length";
const transferEncoding = "transfer-encoding";
const location = "location";

/** Undefined before it is whole; a text says why it is none. Of bytes: strings would cost more than the answer does. */
function readHead(bytes: Buffer): Head | string | undefined {
  for (let at = 0; ; ) {
    const end = headEnd(bytes, at);
    if (end === undefined)
      return bytes.length > headBytesMax ? "the answer's headers are too long" : undefined;
    const statusCode = statusCodeOf(bytes, at);
    if (statusCode === undefined)
      return `malformed HTTP response ${JSON.stringify(bytes.toString("latin1", at, lineEnd(bytes, at)))}`;
    // An interim answer: the one that counts follows.
    if (statusCode < 100 || statusCode >= 200) return readHeaders(bytes, at, end, statusCode);
    at = end;
  }
}

/** Where the empty line ends. */
function headEnd(bytes: Buffer, from: number): number | undefined {
  for (let at = from + 3; at < bytes.length; at++) {
    if (bytes[at] === lineFeed && bytes[at - 2] === lineFeed && bytes[at - 1] === carriageReturn)
      return at + 1;
  }
  return undefined;
}

function lineEnd(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] !== carriageReturn || bytes[at + 1] !== lineFeed) at++;
  return at;
}

/** Of `HTTP/1.1 200 OK`, or HTTP/1.0. */
function statusCodeOf(bytes: Buffer, at: number): number | undefined {
  for (let i = 0; i < protocol.length; i++) if (bytes[at + i] !== protocol[i]) return undefined;
  const minor = bytes[at + 7]! - zero;
  if ((minor !== 0 && minor !== 1) || bytes[at + 8] !== space) return undefined;
  let code = 0;
  for (let i = at + 9; i < at + 12; i++) {
    const digit = bytes[i]! - zero;
    if (digit < 0 || digit > 9) return undefined;
    code = code * 10 + digit;
  }
  return code;
}
const protocol = Buffer.from("HTTP/1.");

function readHeaders(bytes: Buffer, from: number, end: number, statusCode: number): Head {
  const head: Head = { statusCode, location: undefined, length: undefined, isChunked: false, bodyAt: end };
  for (let at = lineEnd(bytes, from) + 2; at < end - 2; ) {
    const lineEndsAt = lineEnd(bytes, at);
    if (isHeader(bytes, at, contentLength))
      head.length = Number(headerValue(bytes, at, contentLength, lineEndsAt));
    else if (isHeader(bytes, at, transferEncoding))
      head.isChunked = headerValue(bytes, at, transferEncoding, lineEndsAt).toLowerCase().endsWith("chunked");
    else if (isHeader(bytes, at, location)) head.location = headerValue(bytes, at, location, lineEndsAt);
    at = lineEndsAt + 2;
  }
  if (statusCode === 204 || statusCode === 304) head.length = 0;
  return head;
}

const isHeader = (bytes: Buffer, at: number, name: string) =>
  bytes[at + name.length] === colon && bytes.toString("latin1", at, at + name.length).toLowerCase() === name;

const headerValue = (bytes: Buffer, at: number, name: string, end: number) =>
  bytes.toString("latin1", at + name.length + 1, end).trim();

function isWhole({ bodyAt, isChunked, length }: Head, bytes: Buffer): boolean {
  const bodyBytes = bytes.length - bodyAt;
  if (bodyBytes >= bodyBytesMax) return true;
  if (isChunked) return unchunked(bytes.subarray(bodyAt)).isWhole;
  return length !== undefined && bodyBytes >= length;
}

function answerOf({ bodyAt, isChunked, length, location, statusCode }: Head, bytes: Buffer): PlainAnswer {
  const bodyEnd = bodyAt + Math.min(length ?? bodyBytesMax, bodyBytesMax);
  const body = isChunked
    ? unchunked(bytes.subarray(bodyAt)).body.toString("utf8", 0, bodyBytesMax)
    : bytes.toString("utf8", bodyAt, bodyEnd);
  return { statusCode, location, body };
}

/** What chunks hold, as far as they have come. */
function unchunked(raw: Buffer): { body: Buffer; isWhole: boolean } {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf("\r\n", at);
    const length = lineEnd < 0 ? Number.NaN : Number.parseInt(raw.toString("latin1", at, lineEnd), 16);
    if (length === 0 || Number.isNaN(length)) return { body: Buffer.concat(pieces), isWhole: length === 0 };
    const from = lineEnd + 2;
    pieces.push(raw.subarray(from, from + length));
    at = from + length + 2;
    if (at > raw.length) return { body: Buffer.concat(pieces), isWhole: false };
  }
}
