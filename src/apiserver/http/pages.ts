import { createHash } from "node:crypto";
import { noSuchResource } from "../../machinery/index.ts";
import type { Query, Serving } from "../context.ts";
import {
  type AggregatedVersion,
  aggregatedVersions,
  apiGroupDiscoveryList,
} from "../discovery/aggregated.ts";
import { type CatalogGroup, catalogOf } from "../discovery/catalog.ts";
import type { Health } from "../discovery/health.ts";
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from "../discovery/legacy.ts";
import { versionInfo } from "../discovery/version.ts";
import type { RequestMetrics } from "../metrics.ts";
import { type OpenApi, type OpenApiDocument, openApiV2FormFor } from "../openapi/index.ts";
import { reviews } from "../reviews/index.ts";
import type { Exchange } from "./exchange.ts";
import { parseAccept } from "./negotiate.ts";

/** A page of the server's own, ready to be sent. */
export interface Page {
  code: number;
  mediaType: string;
  body: Buffer;
  etag?: string;
}

const json = "application/json";
const text = "text/plain; charset=utf-8";

/** What is served beside the resources: health, version, metrics, discovery, OpenAPI, the keys of tokens. */
export class Pages {
  readonly #serving: Serving;
  readonly #health: Health;
  readonly #metrics: RequestMetrics;
  readonly #openApi: OpenApi;
  /** Documents of discovery, until the resources change. */
  readonly #documents = new Map<string, Page>();
  #groups: CatalogGroup[] | undefined;

  constructor(parts: { serving: Serving; health: Health; metrics: RequestMetrics; openApi: OpenApi }) {
    this.#serving = parts.serving;
    this.#health = parts.health;
    this.#metrics = parts.metrics;
    this.#openApi = parts.openApi;
  }

  /** The resources changed. */
  invalidate(): void {
    this.#documents.clear();
    this.#groups = undefined;
    this.#openApi.invalidate();
  }

  /** Throws a 404 for what there is not. */
  async get(path: string, query: Query | undefined, exchange: Exchange): Promise<Page> {
    const plain = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(plain)) return this.#healthPage(plain, query);
    if (plain === "/api" || plain === "/apis" || plain.startsWith("/api/") || plain.startsWith("/apis/")) {
      return this.#discoveryPage(plain, exchange);
    }
    if (plain.startsWith("/openapi/")) return this.#openApiPage(plain, exchange);
    switch (plain) {
      case "/":
        return page({ paths: this.#paths() });
      case "/version":
        return page(versionInfo);
      case "/metrics":
        return this.#metricsPage();
      case "/.well-known/openid-configuration":
        return page(
          this.#serving.tokenIssuer.openIdConfiguration({
            jwksUri: `https://${exchange.header("host") ?? exchange.header(":authority") ?? "localhost"}/openid/v1/jwks`,
          }),
        );
      case "/openid/v1/jwks":
        return { ...page(this.#serving.tokenIssuer.jwks()), mediaType: "application/jwk-set+json" };
      default:
        throw noSuchResource();
    }
  }

  async #healthPage(path: string, query: Query | undefined): Promise<Page> {
    const excluded = query?.["exclude"];
    const report = await this.#health.report(path, {
      verbose: query?.["verbose"] !== undefined,
      exclude: typeof excluded === "string" ? [excluded] : (excluded ?? []),
    });
    if (!report) throw noSuchResource();
    return { code: report.code, mediaType: text, body: Buffer.from(report.text) };
  }

  /** With those of the process, from prom-client, which is loaded when somebody asks. */
  async #metricsPage(): Promise<Page> {
    const { collectDefaultMetrics, register } = await import("prom-client");
    if (!register.getSingleMetric("process_cpu_seconds_total")) collectDefaultMetrics({ register });
    const body = Buffer.from(this.#metrics.text() + (await register.metrics()));
    return { code: 200, mediaType: register.contentType, body };
  }

  #discoveryPage(path: string, exchange: Exchange): Page {
    const aggregated = path === "/api" || path === "/apis" ? aggregatedVersionOf(exchange) : undefined;
    const key = `${path} ${aggregated ?? ""}`;
    const known = this.#documents.get(key);
    if (known) return known;
    const made = this.#makeDiscovery(path, aggregated, exchange);
    this.#documents.set(key, made);
    return made;
  }

  #makeDiscovery(path: string, aggregated: AggregatedVersion | undefined, exchange: Exchange): Page {
    const groups = this.#catalog();
    if (aggregated) {
      const isCore = path === "/api";
      const document = apiGroupDiscoveryList(
        groups.filter(({ group }) => (group === "") === isCore),
        aggregated,
      );
      const body = Buffer.from(JSON.stringify(document));
      const hash = createHash("sha256").update(body).digest("hex").toUpperCase();
      const mediaType = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`;
      return { code: 200, mediaType, body, etag: `"${hash}"` };
    }
    if (path === "/api") return page(apiVersions(groups, addressOf(exchange)));
    if (path === "/apis") return page(apiGroupList(groups));
    const [, root, ...rest] = path.split("/");
    const [name, version] = root === "api" ? ["", rest[0]] : rest;
    const group = groups.find((each) => each.group === name && (root === "api" || name !== ""));
    if (!group) throw noSuchResource();
    if (version === undefined) return page(apiGroup(group));
    const found = group.versions.find((each) => each.version === version);
    if (!found) throw noSuchResource();
    return page(apiResourceList(group.group, version, found.resources));
  }

  async #openApiPage(path: string, exchange: Exchange): Promise<Page> {
    let document: OpenApiDocument | undefined;
    if (path === "/openapi/v2")
      document = await this.#openApi.v2(openApiV2FormFor(exchange.header("accept")));
    else if (path === "/openapi/v3") document = await this.#openApi.v3Index();
    else if (path.startsWith("/openapi/v3/"))
      document = await this.#openApi.v3(path.slice("/openapi/v3/".length));
    if (!document) throw noSuchResource();
    return { code: 200, mediaType: document.mediaType, body: document.bytes, etag: document.etag };
  }

  #catalog(): CatalogGroup[] {
    this.#groups ??= catalogOf(this.#serving.resources, reviews);
    return this.#groups;
  }

  #paths(): string[] {
    const groups = this.#catalog().flatMap(({ group, versions }) =>
      group === ""
        ? versions.map(({ version }) => `/api/${version}`)
        : [`/apis/${group}`, ...versions.map(({ version }) => `/apis/${group}/${version}`)],
    );
    return [
      "/.well-known/openid-configuration",
      "/api",
      "/apis",
      ...groups,
      "/healthz",
      "/livez",
      "/metrics",
      "/openapi/v2",
      "/openapi/v3",
      "/openid/v1/jwks",
      "/readyz",
      "/version",
    ].sort();
  }
}

const page = (value: unknown): Page => ({
  code: 200,
  mediaType: json,
  body: Buffer.from(`${JSON.stringify(value)}\n`),
});

const addressOf = (exchange: Exchange) =>
  `${exchange.socket.localAddress ?? "127.0.0.1"}:${exchange.socket.localPort ?? 443}`;

function aggregatedVersionOf(exchange: Exchange): AggregatedVersion | undefined {
  for (const { mediaType, parameters } of parseAccept(exchange.header("accept") ?? "*/*")) {
    if (mediaType === "application/json" && parameters.get("as") === undefined) return undefined;
    if (parameters.get("as") !== "APIGroupDiscoveryList" || parameters.get("g") !== "apidiscovery.k8s.io")
      continue;
    const version = aggregatedVersions.find((each) => each === parameters.get("v"));
    if (version && mediaType === "application/json") return version;
  }
  return undefined;
}
