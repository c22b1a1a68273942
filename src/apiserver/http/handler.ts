import { parse as parseQuery } from "node:querystring";
import type { Clock, Log } from "../../base/index.ts";
import type { PatchType, Verb } from "../../client/index.ts";
import {
  methodNotAllowed,
  noSuchResource,
  type StatusError,
  tooManyRequests,
  unsupportedMediaType,
} from "../../machinery/index.ts";
import { authorizePath, authorizeResource } from "../authorize.ts";
import {
  type Body,
  type Call,
  type Caller,
  type Outcome,
  parameter,
  type Query,
  type Serving,
} from "../context.ts";
import {
  requestBodyBytesMax,
  retryAfterS,
  urlBytesMax,
  watchesMax,
  watchMsMax,
  watchMsMin,
} from "../limits.ts";
import type { RequestMetrics } from "../metrics.ts";
import { perform } from "../perform.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { selectionOf } from "../registry/selection.ts";
import { openWatch, requireValidStart } from "../verbs/watch.ts";
import type { Authentication } from "./authenticate.ts";
import { impersonated } from "./authenticate.ts";
import type { Exchange } from "./exchange.ts";
import { InFlight } from "./in-flight.ts";
import { sendList } from "./list-response.ts";
import { Negotiation } from "./negotiate.ts";
import type { Pages } from "./pages.ts";
import { parsePath, type ResourcePath } from "./path.ts";
import { flag, integer, queryOptions } from "./query-options.ts";
import { baseHeaders, failureOf, indented, isForPeople, sendFailure } from "./respond.ts";
import { reviewOf } from "./review-request.ts";
import { WatchResponse } from "./watch-response.ts";

export interface HandlerParts {
  serving: Serving;
  authentication: Authentication;
  pages: Pages;
  metrics: RequestMetrics;
}

/** One request on its way through. */
interface Request {
  exchange: Exchange;
  path: string;
  query: Query | undefined;
  auditId: string;
  warnings: string[];
  caller: Caller;
}

const methodsOfCollection: Record<string, Verb> = {
  GET: "list",
  HEAD: "list",
  POST: "create",
  DELETE: "deletecollection",
};
const methodsOfObject: Record<string, Verb> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};
const patchTypes: Record<string, PatchType> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};
const bodyTypes: Record<string, "json" | "yaml" | "protobuf"> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};
const auditIdShape = /^[\x21-\x7e]{1,64}$/;

/**
 * Takes every HTTP request to its answer: who asks, what for, may they; then the verb, and its outcome in the form that the
 * client accepts. Counterpart upstream: `server.DefaultBuildHandlerChain` and `endpoints/handlers`.
 */
export class Handler {
  readonly #serving: Serving;
  readonly #authentication: Authentication;
  readonly #pages: Pages;
  readonly #metrics: RequestMetrics;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #inFlight = new InFlight();
  readonly #negotiation: Negotiation;
  readonly #watches = new Set<WatchResponse>();

  constructor({ serving, authentication, pages, metrics }: HandlerParts) {
    this.#serving = serving;
    this.#authentication = authentication;
    this.#pages = pages;
    this.#metrics = metrics;
    this.#clock = serving.clock;
    this.#log = serving.log;
    this.#negotiation = new Negotiation(serving.schemas, serving.clock);
    metrics.gauge("apiserver_registered_watchers", "Watches open.", () => this.#watches.size);
    metrics.gauge("apiserver_current_inflight_reads", "Reads under way.", () => this.#inFlight.current.reads);
    metrics.gauge(
      "apiserver_current_inflight_writes",
      "Writes under way.",
      () => this.#inFlight.current.writes,
    );
  }

  /** Answers a request; never throws. */
  async handle(exchange: Exchange): Promise<void> {
    const auditId = this.#auditIdOf(exchange);
    const warnings: string[] = [];
    try {
      const url = exchange.url;
      if (url.length > urlBytesMax) return this.#refuseUrl(exchange, auditId);
      const mark = url.indexOf("?");
      const path = mark < 0 ? url : url.slice(0, mark);
      const query = mark < 0 ? undefined : (parseQuery(url.slice(mark + 1)) as Query);
      const caller = await this.#callerOf(exchange, warnings);
      const request: Request = { exchange, path, query, auditId, warnings, caller };
      const parsed = parsePath(path);
      if (parsed.to === "page") await this.#page(request);
      else await this.#resource(request, parsed);
    } catch (error) {
      this.#fail(exchange, auditId, warnings, error);
    }
  }

  /** Ends every watch in good order. */
  close(): void {
    for (const watch of this.#watches) watch.end();
  }

  async #callerOf(exchange: Exchange, warnings: string[]): Promise<Caller> {
    const known = await this.#authentication.userOf(exchange);
    const user = await impersonated(this.#serving, exchange, known);
    let gone: AbortController | undefined;
    return {
      user,
      userAgent: exchange.header("user-agent") ?? "",
      // Few requests ask, and an AbortController costs as much as the look-up of a pod.
      get signal() {
        if (!gone) {
          const controller = new AbortController();
          gone = controller;
          exchange.onClose(() => controller.abort());
        }
        return gone.signal;
      },
      warn: (message) => warnings.push(message),
    };
  }

  async #page({ exchange, path, query, auditId, caller }: Request): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    await authorizePath(
      this.#serving,
      caller,
      exchange.method === "HEAD" ? "get" : exchange.method.toLowerCase(),
      path,
    );
    if (exchange.method !== "GET" && exchange.method !== "HEAD") {
      throw methodNotAllowed("the server does not allow this method on the requested resource");
    }
    const page = await this.#pages.get(path, query, exchange);
    const headers = baseHeaders(auditId, []);
    if (page.etag) headers.push("etag", page.etag, "vary", "Accept");
    if (page.etag && exchange.header("if-none-match") === page.etag)
      exchange.send(304, headers, Buffer.alloc(0));
    else exchange.send(page.code, [...headers, "content-type", page.mediaType], page.body);
    this.#metrics.observe(
      { verb: "get", resource: "", code: page.code },
      (this.#clock.monotonicMs() - startMs) / 1_000,
    );
  }

  async #resource(request: Request, path: ResourcePath): Promise<void> {
    const { exchange } = request;
    const storage = this.#serving.resources.find(path.group, path.version, path.resource);
    if (!storage) return this.#review(request, path);
    const verb = verbOf(exchange.method, path);
    requireScope(storage, path, verb);
    if (verb === "list" && (path.prefixedWatch || flag(request.query, "watch"))) {
      return this.#watch(request, storage, path);
    }
    const isRead = verb === "get" || verb === "list";
    const startMs = this.#clock.monotonicMs();
    const leave = this.#inFlight.enter(isRead ? "read" : "write");
    let code = 500;
    try {
      const form = this.#negotiation.formFor(storage, exchange.header("accept"), request.query);
      const call = await this.#callOf(request, storage, path, verb);
      const outcome = await perform(this.#serving, request.caller, call);
      code = await this.#answer(request, outcome, form);
    } catch (error) {
      code = failureOf(error, this.#log).code;
      throw error;
    } finally {
      leave();
      const labels = { verb, resource: storage.kind.resource, code };
      this.#metrics.observe(labels, (this.#clock.monotonicMs() - startMs) / 1_000);
    }
  }

  async #callOf(request: Request, storage: KindStorage, path: ResourcePath, verb: Verb): Promise<Call> {
    const { exchange, query } = request;
    const call: Call = { verb, storage, options: queryOptions(query, verb) };
    if (path.namespace !== undefined) call.namespace = path.namespace;
    if (path.name !== undefined) call.name = path.name;
    if (path.subresource !== undefined) call.subresource = path.subresource;
    if (query) call.query = query;
    if (verb === "get" || verb === "list") return call;
    const contentType = mediaTypeOf(exchange.header("content-type"));
    if (verb === "patch") {
      const patchType = patchTypes[contentType];
      if (!patchType) throw unsupportedMediaType(Object.keys(patchTypes));
      call.patchType = patchType;
      call.body = { as: "bytes", bytes: await exchange.readBody(requestBodyBytesMax), mediaType: "json" };
      return call;
    }
    call.body = await bodyOf(exchange, contentType);
    return call;
  }

  async #answer(
    request: Request,
    outcome: Outcome,
    form: ReturnType<Negotiation["formFor"]>,
  ): Promise<number> {
    const { exchange } = request;
    const headers = baseHeaders(request.auditId, request.warnings);
    switch (outcome.is) {
      case "entry":
      case "object": {
        const body = outcome.is === "entry" ? form.entry(outcome.entry) : form.object(outcome.object);
        const isPretty = isForPeople(exchange, parameter(request.query, "pretty"));
        headers.push("content-type", form.mediaType);
        exchange.send(outcome.code, headers, isPretty ? indented(form.mediaType, body) : body);
        return outcome.code;
      }
      case "list":
        await sendList(exchange, headers, form, outcome.page, this.#clock);
        return 200;
      case "stream": {
        const answer = exchange.stream(200, [...headers, "content-type", outcome.mediaType]);
        exchange.onClose(() => outcome.stream.destroy());
        outcome.stream.once("error", () => exchange.destroy());
        outcome.stream.pipe(answer.body);
        return 200;
      }
    }
  }

  async #watch(request: Request, storage: KindStorage, path: ResourcePath): Promise<void> {
    const { exchange, query, caller } = request;
    const options = queryOptions(query, "list");
    const selection = selectionOf(storage.kind, options, path.name);
    await authorizeResource(this.#serving, caller, { storage, verb: "watch", options, ...path });
    if (this.#watches.size >= watchesMax)
      throw tooManyRequests("Too many watches, please try again later.", retryAfterS);
    const form = this.#negotiation.formFor(storage, exchange.header("accept"), query);
    if (form.mediaType === "application/yaml") throw unsupportedMediaType(["application/json"]);
    const sendInitialEvents = flag(query, "sendInitialEvents");
    const start = {
      storage,
      selection,
      ...(path.namespace !== undefined && { namespace: path.namespace }),
      ...(options.resourceVersion !== undefined && { resourceVersion: options.resourceVersion }),
      ...(options.resourceVersionMatch !== undefined && {
        resourceVersionMatch: options.resourceVersionMatch,
      }),
      ...(sendInitialEvents !== undefined && { sendInitialEvents }),
      allowWatchBookmarks: flag(query, "allowWatchBookmarks") ?? false,
    };
    requireValidStart(start);
    const headers = baseHeaders(request.auditId, request.warnings);
    const response = new WatchResponse(exchange, headers, form, {
      clock: this.#clock,
      lastsMs: this.#watchMs(query),
    });
    const watch = openWatch(this.#serving, start, response);
    this.#watches.add(response);
    response.whenOver(() => {
      this.#watches.delete(response);
      watch.close();
    });
  }

  /** Without a wish, between once and twice the minimum: so that watches that began together do not end together. */
  #watchMs(query: Query | undefined): number {
    const wantedS = integer(query, "timeoutSeconds") ?? 0;
    const ms = wantedS > 0 ? wantedS * 1_000 : watchMsMin * (1 + this.#serving.random.fraction());
    return Math.min(ms, watchMsMax);
  }

  async #review(request: Request, path: ResourcePath): Promise<void> {
    const review = reviewOf(path);
    if (!review) throw noSuchResource();
    if (request.exchange.method !== "POST") {
      throw methodNotAllowed("the server does not allow this method on the requested resource");
    }
    const leave = this.#inFlight.enter("write");
    try {
      const contentType = mediaTypeOf(request.exchange.header("content-type"));
      const body = await bodyOf(request.exchange, contentType);
      const object = await review.perform(this.#serving, request.caller, path, body);
      const headers = baseHeaders(request.auditId, request.warnings);
      request.exchange.send(
        201,
        [...headers, "content-type", "application/json"],
        Buffer.from(JSON.stringify(object)),
      );
    } finally {
      leave();
    }
  }

  #fail(exchange: Exchange, auditId: string, warnings: readonly string[], error: unknown): void {
    const failure: StatusError = failureOf(error, this.#log);
    // What has begun cannot become a failure any more: cutting it tells the client that it is not whole.
    if (exchange.hasBegun) exchange.destroy();
    else sendFailure(exchange, baseHeaders(auditId, warnings), failure);
  }

  #refuseUrl(exchange: Exchange, auditId: string): void {
    const body = Buffer.from("the URL of the request is too long\n");
    exchange.send(414, [...baseHeaders(auditId, []), "content-type", "text/plain"], body);
  }

  /** The client's own, where it sent a sane one: so that its log and ours can be laid side by side. */
  #auditIdOf(exchange: Exchange): string {
    const given = exchange.header("audit-id");
    return given !== undefined && auditIdShape.test(given) ? given : this.#serving.random.uuid();
  }
}

function verbOf(method: string, path: ResourcePath): Verb {
  const verb = (path.name === undefined ? methodsOfCollection : methodsOfObject)[method];
  const misses = verb === "create" && path.name !== undefined && path.subresource === undefined;
  if (!verb || misses)
    throw methodNotAllowed("the server does not allow this method on the requested resource");
  return verb;
}

/** An object of a namespace has one in its path, and no other has; only to read, all namespaces are one. */
function requireScope({ kind }: KindStorage, path: ResourcePath, verb: Verb): void {
  const isNamespaced = kind.scope === "Namespaced";
  if (!isNamespaced && path.namespace !== undefined) throw noSuchResource();
  if (!isNamespaced || path.namespace !== undefined || path.prefixedWatch) return;
  if (path.name !== undefined) throw noSuchResource();
  if (verb !== "list") throw methodNotAllowed("the server does not allow this method on the requested resource");
}

const mediaTypeOf = (header: string | undefined) => (header ?? "").split(";", 1)[0]!.trim().toLowerCase();

async function bodyOf(exchange: Exchange, contentType: string): Promise<Body> {
  const mediaType = contentType === "" ? "json" : bodyTypes[contentType];
  if (!mediaType) throw unsupportedMediaType(Object.keys(bodyTypes));
  return { as: "bytes", bytes: await exchange.readBody(requestBodyBytesMax), mediaType };
}
