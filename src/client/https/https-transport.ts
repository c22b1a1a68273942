import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions as HttpsOptions, request as httpsRequest } from "node:https";
import { type Clock, deepFreeze } from "../../base/index.ts";
import {
  internalError,
  type Status,
  StatusError,
  type StatusReason,
  serviceUnavailable,
} from "../../machinery/index.ts";
import type { ApiRequest, ApiResult, Transport, WatchRequest, WatchSink } from "../transport.ts";
import { type HttpRequest, httpRequestOf, watchPathOf } from "./api-path.ts";
import { WatchDecoder } from "./watch-decoder.ts";

export interface HttpsTransportOptions {
  /** `https://host:port`. */
  server: string;
  /** PEM of who may have signed the server's certificate. */
  ca: string | Buffer;
  /** PEM of a client certificate, with its key. */
  cert?: string | Buffer;
  key?: string | Buffer;
  /** A bearer token, or how to get the current one. */
  token?: string | (() => string | Promise<string>);
  userAgent?: string;
  clock: Clock;
}

/** Requests at once; more wait. Watches have connections of their own. */
export const connectionsMax = 32;
/** A list of 100,000 pods. */
export const responseBytesMax = 512 * 2 ** 20;
/** As client-go: how often a request is repeated because the server asked for it. */
export const retriesMax = 10;
/** Silence after which a connection is probed, so that a watch on a dead network ends. */
const keepAliveMs = 30_000;

/** The API server over HTTPS: HTTP/1.1, connections kept alive, JSON. */
export function createHttpsTransport(options: HttpsTransportOptions): Transport & { close(): void } {
  return new HttpsTransport(options);
}

class HttpsTransport implements Transport {
  readonly #options: HttpsTransportOptions;
  readonly #server: URL;
  readonly #agent: Agent;
  readonly #watchAgent: Agent;

  constructor(options: HttpsTransportOptions) {
    const { ca, cert, key } = options;
    const tls = {
      ca,
      cert,
      key,
      minVersion: "TLSv1.2",
      keepAlive: true,
      keepAliveMsecs: keepAliveMs,
    } as const;
    this.#options = options;
    this.#server = new URL(options.server);
    this.#agent = new Agent({ ...tls, maxSockets: connectionsMax, scheduling: "lifo" });
    this.#watchAgent = new Agent(tls);
  }

  async request(request: ApiRequest): Promise<ApiResult> {
    const http = httpRequestOf(request);
    for (let retries = 0; ; retries++) {
      const response = await this.#send(http, this.#agent, request.signal);
      const status = response.statusCode!;
      const body = await readAll(response);
      if (status < 300) return { object: deepFreeze(parse(body, status)) };
      const afterS = Number(response.headers["retry-after"]);
      const isAskedFor = (status === 429 || status >= 500) && afterS > 0 && retries < retriesMax;
      if (!isAskedFor) throw failure(status, body);
      await this.#options.clock.sleep(afterS * 1_000, request.signal);
    }
  }

  watch(request: WatchRequest, watcher: WatchSink): { close(): void } {
    const closing = new AbortController();
    void this.#watch(request, watcher, closing.signal).then(
      () => !closing.signal.aborted && watcher.onClose(undefined),
      (error) => !closing.signal.aborted && watcher.onClose(error),
    );
    return { close: () => closing.abort() };
  }

  close(): void {
    this.#agent.destroy();
    this.#watchAgent.destroy();
  }

  async #watch(request: WatchRequest, watcher: WatchSink, signal: AbortSignal): Promise<void> {
    const response = await this.#send(
      { method: "GET", path: watchPathOf(request) },
      this.#watchAgent,
      signal,
    );
    if (response.statusCode !== 200) throw failure(response.statusCode!, await readAll(response));
    const decoder = new WatchDecoder();
    try {
      for await (const chunk of response) {
        for (const events of decoder.decode(chunk)) {
          if (!signal.aborted) watcher.onEvents(events);
        }
      }
    } catch (error) {
      throw error instanceof StatusError ? error : unreachableServer(this.#server, error);
    }
  }

  async #send(http: HttpRequest, agent: Agent, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const { token, userAgent = "peapod" } = this.#options;
    const bearer = typeof token === "function" ? await token() : token;
    const options: HttpsOptions = {
      agent,
      method: http.method,
      signal,
      headers: {
        accept: "application/json",
        "user-agent": userAgent,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(http.body !== undefined && {
          "content-type": http.contentType,
          "content-length": Buffer.byteLength(http.body),
        }),
      },
    };
    try {
      return await exchange(new URL(http.path, this.#server), options, http.body);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw unreachableServer(this.#server, error);
    }
  }
}

/** Sends a request once more when the server closed a kept connection just as it was used. */
async function exchange(url: URL, options: HttpsOptions, body: string | undefined): Promise<IncomingMessage> {
  for (;;) {
    const request = httpsRequest(url, options);
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        request.once("response", resolve);
        request.once("error", reject);
        request.end(body);
      });
    } catch (error: any) {
      // Nothing of an answer came, and only what may be repeated is: as Go's net/http.
      const isRepeatable = options.method === "GET";
      if (!(request.reusedSocket && error.code === "ECONNRESET" && isRepeatable)) throw error;
    }
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += chunk.length;
      if (bytes > responseBytesMax) throw internalError(`a response exceeds ${responseBytesMax} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw serviceUnavailable(`the response broke off: ${(error as Error).message}`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(body: string, status: number): any {
  if (body === "") return {};
  try {
    return JSON.parse(body);
  } catch {
    throw failure(status, body);
  }
}

/** The `Status` in the body, or one made from what a proxy or a panicking server says instead. */
function failure(code: number, body: string): StatusError {
  try {
    const status: Status = JSON.parse(body);
    if (status.kind === "Status") return StatusError.from({ ...status, code: status.code ?? code });
  } catch {
    // Not JSON.
  }
  return new StatusError(code, reasons[code], body.trim() || `the server answered with status ${code}`);
}

const reasons: Record<number, StatusReason> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

const unreachableServer = ({ origin }: URL, error: unknown) =>
  serviceUnavailable(`${origin} cannot be reached: ${(error as Error).message}`);
