import type { AdmissionPlugin } from "../admission/index.ts";
import type { Kind } from "../api/index.ts";
import type { Authorizer, TokenAuthenticator, TokenIssuer, UserInfo } from "../auth/index.ts";
import type { Clock, Log, Random } from "../base/index.ts";
import type { NodeConnector, Transport } from "../client/index.ts";
import type { SchemaRegistry } from "../machinery/index.ts";
import type { Store } from "../store/index.ts";
import { bootstrapObjects } from "./bootstrap.ts";
import type { Serving } from "./context.ts";
import { Health, type HealthCheck } from "./discovery/health.ts";
import { Authentication } from "./http/authenticate.ts";
import { Handler } from "./http/handler.ts";
import { Listener, type ListenOptions } from "./http/listener.ts";
import { Pages } from "./http/pages.ts";
import { Upgrades } from "./http/upgrades.ts";
import { inProcessTransport } from "./in-process.ts";
import { RequestMetrics } from "./metrics.ts";
import { type Describe, OpenApi } from "./openapi/index.ts";
import { Resources } from "./registry/resources.ts";
import { Bookmarks } from "./verbs/bookmarks.ts";

export interface ApiServerOptions {
  store: Store;
  kinds: readonly Kind[];
  schemas: SchemaRegistry;
  /** Of types and fields, for `kubectl explain`. */
  describe: Describe;
  authenticator: TokenAuthenticator;
  authorizer: Authorizer;
  admission: readonly AdmissionPlugin[];
  tokenIssuer: TokenIssuer;
  nodes: NodeConnector;
  clock: Clock;
  random: Random;
  log: Log;
}

/**
 * The API server. It serves from the moment it is made, to the components of its process; `listen` opens it to others.
 *
 * Counterpart upstream: `cmd/kube-apiserver`, `k8s.io/apiserver`.
 */
export interface ApiServer {
  /** Opens a TLS port; 0: any free one. Resolves when it accepts connections. */
  listen(options: ListenOptions): Promise<{ port: number; host: string }>;
  /** The way in for a component of this process that acts as `user`. */
  transportFor(user: UserInfo): Transport;
  /** Makes the namespaces and priority classes every cluster has; harmless when they are there. */
  bootstrap(): Promise<void>;
  /** What must be well for `/readyz` (or `/livez`) to say so. */
  addHealthCheck(endpoint: "livez" | "readyz", check: HealthCheck): void;
  /** Shown at `/metrics`. */
  addGauge(name: string, help: string, value: () => number): void;
  /** Ends watches in good order, and closes the port. The store stays open. */
  close(): Promise<void>;
}

export function createApiServer(options: ApiServerOptions): ApiServer {
  return new Server(options);
}

class Server implements ApiServer {
  readonly #serving: Serving;
  readonly #health = new Health();
  readonly #metrics = new RequestMetrics();
  readonly #handler: Handler;
  readonly #upgrades: Upgrades;
  readonly #listeners: Listener[] = [];

  constructor(options: ApiServerOptions) {
    const { store, kinds, schemas, describe, clock } = options;
    const serving: Serving = {
      store,
      resources: new Resources(store, kinds),
      schemas,
      authenticator: options.authenticator,
      authorizer: options.authorizer,
      admission: options.admission,
      nodes: options.nodes,
      tokenIssuer: options.tokenIssuer,
      bookmarks: new Bookmarks(clock),
      clock,
      random: options.random,
      log: options.log,
    };
    this.#serving = serving;
    const servedKinds = () => [...serving.resources.all()].map(({ kind }) => kind);
    const openApi = new OpenApi({ kinds: servedKinds, schemas, describe });
    const pages = new Pages({ serving, health: this.#health, metrics: this.#metrics, openApi });
    const authentication = new Authentication(options.authenticator);
    this.#handler = new Handler({ serving, authentication, pages, metrics: this.#metrics });
    this.#upgrades = new Upgrades(serving, authentication);
  }

  async listen(options: ListenOptions): Promise<{ port: number; host: string }> {
    const listener = new Listener(options.tls, this.#serving.clock, {
      request: (exchange) => void this.#handler.handle(exchange),
      upgrade: (upgrade) => void this.#upgrades.handle(upgrade),
    });
    const address = await listener.listen(options);
    this.#listeners.push(listener);
    return address;
  }

  transportFor(user: UserInfo): Transport {
    return inProcessTransport(this.#serving, user);
  }

  bootstrap(): Promise<void> {
    return bootstrapObjects(this.#serving);
  }

  addHealthCheck(endpoint: "livez" | "readyz", check: HealthCheck): void {
    this.#health.add(endpoint, check);
  }

  addGauge(name: string, help: string, value: () => number): void {
    this.#metrics.gauge(name, help, value);
  }

  async close(): Promise<void> {
    this.#serving.bookmarks.close();
    this.#handler.close();
    await Promise.all(this.#listeners.splice(0).map((listener) => listener.close()));
  }
}
