import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { createSecureContext } from "node:tls";
import type { Clock } from "../../base/index.ts";
import type { RegistriesConfig } from "./registries.ts";
import { trustedRoots } from "./trusted-roots.ts";

/** As Go's client has it. */
const redirectsMax = 10;
/** No byte either way for so long: the other side is gone, or as good as gone. */
const stallMsMax = 30_000;
/** Idle connections kept a registry. */
const idleSocketsMax = 4;
const userAgent = "peapod/0.1";

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST";
  url: URL;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal;
}

/** The body must be read to its end, or destroyed. Its destruction by a stall carries a {@link StallError}. */
export interface HttpResponse {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: http.IncomingMessage;
}

/** No answer at all; the message is that of Go's client, which users of containerd know. */
export class RequestError extends Error {
  override name = "RequestError";
}

export class StallError extends Error {
  override name = "StallError";
  constructor(host: string) {
    super(`${host}: no data for ${stallMsMax / 1000} seconds`);
  }
}

/** HTTP as a registry's client needs it: redirects, TLS by host, an eye on stalls. */
export class HttpClient {
  readonly #clock: Clock;
  readonly #config: RegistriesConfig;
  readonly #env: NodeJS.ProcessEnv;
  readonly #agents = new Map<string, http.Agent | https.Agent>();

  constructor(options: { clock: Clock; config: RegistriesConfig; env: NodeJS.ProcessEnv }) {
    this.#clock = options.clock;
    this.#config = options.config;
    this.#env = options.env;
  }

  /** @throws RequestError, or the signal's reason. */
  async request(request: HttpRequest): Promise<HttpResponse> {
    let current = request;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#once(current);
      const location = response.headers.location;
      if (response.status < 300 || response.status > 308 || location === undefined) return response;
      response.body.resume();
      if (redirects === redirectsMax) throw new RequestError(`stopped after ${redirectsMax} redirects`);
      if (!URL.canParse(location, current.url.href))
        throw new RequestError(`invalid redirect to ${location}`);
      current = redirected(current, new URL(location, current.url));
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  #once(request: HttpRequest): Promise<HttpResponse> {
    const { url, method, signal } = request;
    const fail = (error: NodeJS.ErrnoException) =>
      new RequestError(
        `failed to do request: ${method[0]}${method.slice(1).toLowerCase()} "${url}": ${describe(error, url)}`,
        { cause: error },
      );
    return new Promise((resolve, reject) => {
      let call: http.ClientRequest;
      try {
        const make = url.protocol === "https:" ? https.request : http.request;
        call = make(url, {
          method,
          agent: this.#agent(url),
          headers: { "user-agent": userAgent, ...request.headers },
          ...(signal && { signal }),
        });
      } catch (error) {
        return reject(fail(error as Error));
      }
      this.#watch(call, url);
      call.on("error", (error) => reject(signal?.aborted ? signal.reason : fail(error)));
      call.on("response", (body) => resolve({ status: body.statusCode ?? 0, headers: body.headers, body }));
      call.end(request.body);
    });
  }

  /** Ends a request, or its response, through which nothing flows any more. */
  #watch(call: http.ClientRequest, url: URL): void {
    let seenBytes = -1;
    let isOver = false;
    let body: http.IncomingMessage | undefined;
    const look = () => {
      if (isOver) return;
      const socket = call.socket;
      const bytes = (socket?.bytesRead ?? 0) + (socket?.bytesWritten ?? 0);
      // A reader that holds the data back (a busy disk) is not the registry's stall.
      const isHeld = (body?.readableLength ?? 0) > 0;
      if (bytes === seenBytes && !isHeld) {
        const error = new StallError(url.host);
        if (body) body.destroy(error);
        else call.destroy(error);
        return;
      }
      seenBytes = bytes;
      timer = this.#clock.after(stallMsMax, look);
    };
    let timer = this.#clock.after(stallMsMax, look);
    call.on("response", (response) => {
      body = response;
    });
    call.on("close", () => {
      isOver = true;
      timer.cancel();
    });
  }

  #agent(url: URL): http.Agent | https.Agent {
    const key = `${url.protocol}//${url.host}`;
    const existing = this.#agents.get(key);
    if (existing) return existing;
    const keep = { keepAlive: true, maxFreeSockets: idleSocketsMax, timeout: stallMsMax * 2 };
    const agent =
      url.protocol === "http:" ? new http.Agent(keep) : new https.Agent({ ...keep, ...this.#tls(url.host) });
    this.#agents.set(key, agent);
    return agent;
  }

  /** Made once a host: reading the host's authorities takes longer than a handshake. */
  #tls(host: string): https.AgentOptions {
    const tls = this.#config.configs[host]?.tls ?? {};
    const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
    const own = read(tls.ca_file);
    return {
      secureContext: createSecureContext({
        ca: [...trustedRoots(this.#env), ...(own ? [own] : [])],
        cert: read(tls.cert_file),
        key: read(tls.key_file),
      }),
      ...(tls.insecure_skip_verify && { rejectUnauthorized: false }),
    };
  }
}

/** The next request of a redirect. What authorizes at one host is nothing to another. */
function redirected(request: HttpRequest, url: URL): HttpRequest {
  const headers = { ...request.headers };
  if (url.host !== request.url.host || url.protocol !== request.url.protocol) delete headers["authorization"];
  return { method: request.method === "POST" ? "GET" : request.method, url, headers, signal: request.signal };
}

/** In the words of Go's dialer, for the events that people search for. */
function describe(error: NodeJS.ErrnoException, url: URL): string {
  // Several addresses were tried: the first says enough.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const cause: NodeJS.ErrnoException & { address?: string; port?: number } = first;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  const address = `${cause.address ?? url.hostname}:${cause.port ?? port}`;
  switch (cause.code) {
    case "ENOTFOUND":
      return `dial tcp: lookup ${url.hostname}: no such host`;
    case "EAI_AGAIN":
      return `dial tcp: lookup ${url.hostname}: Temporary failure in name resolution`;
    case "ECONNREFUSED":
      return `dial tcp ${address}: connect: connection refused`;
    case "ENETUNREACH":
      return `dial tcp ${address}: connect: network is unreachable`;
    case "EHOSTUNREACH":
      return `dial tcp ${address}: connect: no route to host`;
    case "ETIMEDOUT":
      return `dial tcp ${address}: i/o timeout`;
    case "EPROTO":
      return /wrong version number/.test(cause.message)
        ? "http: server gave HTTP response to HTTPS client"
        : cause.message;
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
    default:
      return cause.message;
  }
}

/** Reads a body of at most `bytesMax`. @throws RequestError past it. */
export async function readBody(response: HttpResponse, bytesMax: number, what: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response.body) {
    bytes += (piece as Buffer).length;
    if (bytes > bytesMax) {
      response.body.destroy();
      throw new RequestError(`${what} is larger than ${bytesMax} bytes`);
    }
    pieces.push(piece as Buffer);
  }
  return Buffer.concat(pieces);
}
