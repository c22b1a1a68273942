import { parse as parseQuery } from "node:querystring";
import type { UserInfo } from "../../auth/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { methodNotAllowed, noSuchResource, type StatusError } from "../../machinery/index.ts";
import { authorizePath, authorizeResource } from "../authorize.ts";
import { type Caller, type Outcome, parameter, type Query, type Serving } from "../context.ts";
import { urlBytesMax } from "../limits.ts";
import type { RequestMetrics } from "../metrics.ts";
import type { MetricsResource } from "../metrics-api/resources.ts";
import { metricsResourceOf, serveMetrics } from "../metrics-api/serve.ts";
import { performAuthorized } from "../perform.ts";
import { authorizeProxy, isProxied, serveProxy } from "../proxy/proxying.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import type { Authentication } from "./authenticate.ts";
import { impersonated, isImpersonating } from "./authenticate.ts";
import { addBody, callOf, readBody, requireScope, verbOf } from "./call.ts";
import type { Exchange } from "./exchange.ts";
import { HttpCaller } from "./http-caller.ts";
import { InFlight } from "./in-flight.ts";
import { sendList } from "./list-response.ts";
import { jsonOrTable, Negotiation, requireJson } from "./negotiate.ts";
import type { Pages } from "./pages.ts";
import { parsePath, type ResourcePath } from "./path.ts";
import { flag } from "./query-options.ts";
import { baseHeaders, failureOf, indented, isForPeople, sendFailure } from "./respond.ts";
import { reviewOf } from "./review-request.ts";
import { Watches } from "./watches.ts";
import { WriteTurns } from "./write-turns.ts";

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
  readonly #writeTurns = new WriteTurns();
  readonly #negotiation: Negotiation;
  readonly #watches: Watches;

  constructor({ serving, authentication, pages, metrics }: HandlerParts) {
    this.#serving = serving;
    this.#authentication = authentication;
    this.#pages = pages;
    this.#metrics = metrics;
    this.#clock = serving.clock;
    this.#log = serving.log;
    this.#negotiation = new Negotiation(serving.schemas, serving.clock);
    this.#watches = new Watches(serving, this.#negotiation);
    metrics.gauge("apiserver_registered_watchers", "Watches open.", () => this.#watches.count);
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
      const user = await this.#userOf(exchange);
      const caller = new HttpCaller(exchange, user, warnings);
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
    this.#watches.close();
  }

  #userOf(exchange: Exchange): UserInfo | Promise<UserInfo> {
    const user = this.#authentication.userOf(exchange);
    return isImpersonating(exchange) ? this.#impersonated(exchange, user) : user;
  }

  async #impersonated(exchange: Exchange, known: UserInfo | Promise<UserInfo>): Promise<UserInfo> {
    return impersonated(this.#serving, exchange, await known);
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
    if (isProxied(storage, path)) return this.#proxy(request, path, storage);
    const verb = verbOf(exchange.method, path);
    requireScope(storage, path, verb);
    if (verb === "list" && (path.prefixedWatch || flag(request.query, "watch"))) {
      return this.#watches.serve(
        { ...request, headers: () => baseHeaders(request.auditId, request.warnings) },
        storage,
        path,
      );
    }
    const isRead = verb === "get" || verb === "list";
    const startMs = this.#clock.monotonicMs();
    let leave = isRead ? this.#inFlight.enter("read") : () => {};
    let code = 500;
    try {
      const form = this.#negotiation.formFor(storage, exchange.header("accept"), request.query);
      const call = callOf(request.query, storage, path, verb);
      // Before the body: who may not write need not send it.
      await authorizeResource(this.#serving, request.caller, call);
      await addBody(exchange, call);
      if (!isRead) {
        leave = this.#inFlight.enter("write");
        await this.#writeTurns.next();
      }
      const outcome = await performAuthorized(this.#serving, request.caller, call);
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

  /** As long as it takes: it counts neither as a read nor as a write. */
  async #proxy({ exchange, ...request }: Request, path: ResourcePath, storage: KindStorage): Promise<void> {
    const { caller, query, auditId, warnings } = request;
    const mark = exchange.url.indexOf("?");
    const search = mark < 0 ? "" : exchange.url.slice(mark);
    const asked = { rawPath: request.path, search, query, path, storage };
    await authorizeProxy(this.#serving, caller, exchange.method, asked);
    const headers = baseHeaders(auditId, warnings);
    await serveProxy(this.#serving, exchange, asked, headers, caller.signal!);
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

  async #metricsApi(request: Request, path: ResourcePath, about: MetricsResource): Promise<void> {
    const { auditId, caller, exchange, query, warnings } = request;
    const leave = this.#inFlight.enter("read");
    try {
      const as = jsonOrTable(exchange.header("accept"));
      const asked = { method: exchange.method, path, query, as };
      const object = await serveMetrics(this.#serving, caller, about, asked);
      const headers = [...baseHeaders(auditId, warnings), "content-type", "application/json"];
      exchange.send(200, headers, Buffer.from(`${JSON.stringify(object)}\n`));
    } finally {
      leave();
    }
  }

  async #review(request: Request, path: ResourcePath): Promise<void> {
    const metrics = metricsResourceOf(path);
    if (metrics) return this.#metricsApi(request, path, metrics);
    const review = reviewOf(path);
    if (!review) throw noSuchResource();
    if (request.exchange.method !== "POST") {
      throw methodNotAllowed("the server does not allow this method on the requested resource");
    }
    requireJson(request.exchange.header("accept"));
    let leave = () => {};
    try {
      const object = await review.perform(this.#serving, request.caller, path, async () => {
        const body = await readBody(request.exchange);
        leave = this.#inFlight.enter("write");
        return body;
      });
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
