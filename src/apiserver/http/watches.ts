import { tooManyRequests, unsupportedMediaType } from "../../machinery/index.ts";
import { authorizeResource } from "../authorize.ts";
import type { Caller, Query, Serving } from "../context.ts";
import { retryAfterS, watchesMax, watchMsMax, watchMsMin } from "../limits.ts";
import type { KindStorage } from "../registry/kind-storage.ts";
import { selectionOf } from "../registry/selection.ts";
import { openWatch, requireValidStart, type WatchStart } from "../verbs/watch.ts";
import type { Exchange } from "./exchange.ts";
import type { Negotiation } from "./negotiate.ts";
import type { ResourcePath } from "./path.ts";
import { flag, integer, queryOptions } from "./query-options.ts";
import { WatchResponse } from "./watch-response.ts";

/** The watches that are open over HTTP. */
export class Watches {
  readonly #serving: Serving;
  readonly #negotiation: Negotiation;
  readonly #open = new Set<WatchResponse>();

  constructor(serving: Serving, negotiation: Negotiation) {
    this.#serving = serving;
    this.#negotiation = negotiation;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Answers with a watch. Throws what can be said before it begins; what comes later is an event of it. */
  async serve(
    request: { exchange: Exchange; query: Query | undefined; caller: Caller; headers: () => string[] },
    storage: KindStorage,
    path: ResourcePath,
  ): Promise<void> {
    const { exchange, query, caller } = request;
    const options = queryOptions(query, "list");
    await authorizeResource(this.#serving, caller, { storage, verb: "watch", options, ...path });
    if (this.#open.size >= watchesMax) {
      throw tooManyRequests("Too many watches, please try again later.", retryAfterS);
    }
    const form = this.#negotiation.formFor(storage, exchange.header("accept"), query);
    if (form.mediaType === "application/yaml") throw unsupportedMediaType(["application/json"]);
    const sendInitialEvents = flag(query, "sendInitialEvents");
    const { resourceVersion, resourceVersionMatch } = options;
    const start: WatchStart = {
      storage,
      selection: selectionOf(storage.kind, options, path.name),
      ...(path.namespace !== undefined && { namespace: path.namespace }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(resourceVersionMatch !== undefined && { resourceVersionMatch }),
      ...(sendInitialEvents !== undefined && { sendInitialEvents }),
      allowWatchBookmarks: flag(query, "allowWatchBookmarks") ?? false,
    };
    requireValidStart(start);
    const { clock } = this.#serving;
    const response = new WatchResponse(exchange, request.headers(), form, {
      clock,
      lastsMs: this.#lastsMs(query),
    });
    const watch = openWatch(this.#serving, start, response);
    this.#open.add(response);
    response.whenOver(() => {
      this.#open.delete(response);
      watch.close();
    });
  }

  /** Ends every watch in good order. */
  close(): void {
    for (const watch of this.#open) watch.end();
  }

  /** Without a wish, between once and twice the minimum: so that watches that began together do not end together. */
  #lastsMs(query: Query | undefined): number {
    const wantedS = integer(query, "timeoutSeconds") ?? 0;
    const ms = wantedS > 0 ? wantedS * 1_000 : watchMsMin * (1 + this.#serving.random.fraction());
    return Math.min(ms, watchMsMax);
  }
}
