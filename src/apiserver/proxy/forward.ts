import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { StatusError, serviceUnavailable } from "../../machinery/index.ts";
import type { Exchange } from "../http/exchange.ts";
import { answerHeaders, type HeaderValues, requestHeaders } from "./headers.ts";
import type { Location } from "./pod-location.ts";
import { type Rewriting, rewriteHtml, rewriteUrl } from "./rewrite.ts";

/** A page larger than this goes through as it is: to rewrite its links it would have to be held as a whole. */
const htmlBytesMax = 4 * 1024 * 1024;

export interface Forwarded {
  location: Location;
  /** Path and query, at the server's own root. */
  url: string;
  rewriting: Rewriting;
  /** Of our own: audit id and the like. */
  headers: readonly string[];
}

/** Hands a request to the server at the location, and its answer back; both as streams. Returns the answer's code. */
export async function forward(exchange: Exchange, what: Forwarded, signal: AbortSignal): Promise<number> {
  const connection = await open(what.location, signal);
  const answer = await ask(exchange, connection, what, signal);
  const headers = answerHeaders(answer.headers as HeaderValues);
  const location = headers["location"];
  if (typeof location === "string") headers["location"] = rewriteUrl(location, what.rewriting);
  const code = answer.statusCode!;
  exchange.onClose(() => connection.destroy());
  if (exchange.method === "HEAD" || code === 204 || code === 304) {
    answer.resume();
    exchange.stream(code, flat(what.headers, headers)).end();
    return code;
  }
  const isPage = /^text\/html\b/.test(answer.headers["content-type"] ?? "");
  const page = isPage && !location ? await readPage(answer) : undefined;
  if (page?.text !== undefined) {
    const body = Buffer.from(rewriteHtml(page.text, what.rewriting));
    delete headers["content-encoding"];
    delete headers["content-length"];
    exchange.send(code, flat(what.headers, headers), body);
    return code;
  }
  const stream = exchange.stream(code, flat(what.headers, headers));
  for (const chunk of page?.chunks ?? []) stream.body.write(chunk);
  answer.once("error", () => exchange.destroy());
  answer.once("aborted", () => exchange.destroy());
  answer.pipe(stream.body);
  return code;
}

/** A connection to the location, encrypted where it says so; nobody knows who signed a pod's certificate. */
export async function open({ scheme, dial }: Location, signal: AbortSignal): Promise<Duplex> {
  const socket = await reaching(dial(signal));
  if (scheme === "http") return socket;
  return reaching(
    new Promise<Duplex>((resolve, reject) => {
      const secure = tlsConnect({ socket, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
      secure.once("secureConnect", () => resolve(secure));
      secure.once("error", reject);
    }),
  );
}

function ask(
  exchange: Exchange,
  connection: Duplex,
  { url, rewriting }: Forwarded,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const headers = requestHeaders(exchange.headers, {
    for: exchange.socket.remoteAddress ?? "",
    uri: `${rewriting.prefix}${url.split("?", 1)[0]}`,
    host: rewriting.host,
  });
  return reaching(
    new Promise((resolve, reject) => {
      const request = httpRequest({
        ...{ method: exchange.method, path: url, headers, signal },
        createConnection: () => connection as never,
      });
      request.once("response", resolve);
      request.once("error", reject);
      exchange.requestBody.pipe(request);
    }),
  );
}

/** As upstream words what keeps the API server from a pod. */
async function reaching<T>(attempt: Promise<T>): Promise<T> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw serviceUnavailable(`error trying to reach service: ${(error as Error).message}`);
  }
}

/** The page's text, or where it is too large or in no known coding the bytes that were read. */
async function readPage(answer: IncomingMessage): Promise<{ text?: string; chunks?: Buffer[] }> {
  const coding = answer.headers["content-encoding"] ?? "";
  const decoders = { gzip: createGunzip, deflate: createInflate, br: createBrotliDecompress };
  if (coding !== "" && !(coding in decoders)) return {};
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > htmlBytesMax) return { chunks };
  }
  const raw = Buffer.concat(chunks, bytes);
  if (coding === "") return { text: raw.toString() };
  const decoder = decoders[coding as keyof typeof decoders]();
  decoder.end(raw);
  const plain: Buffer[] = [];
  let plainBytes = 0;
  for await (const chunk of decoder) {
    plain.push(chunk as Buffer);
    plainBytes += (chunk as Buffer).length;
    // A page that unpacks to more is a trap, or no page.
    if (plainBytes > htmlBytesMax) return { chunks };
  }
  return { text: Buffer.concat(plain, plainBytes).toString() };
}

/** Ours come first; where both say something, the server's answer is its own. */
function flat(own: readonly string[], headers: Record<string, string | string[]>): string[] {
  const list: string[] = [];
  for (let i = 0; i < own.length; i += 2) {
    if (!(own[i]! in headers)) list.push(own[i]!, own[i + 1]!);
  }
  for (const [name, value] of Object.entries(headers))
    for (const each of [value].flat()) list.push(name, each);
  return list;
}
