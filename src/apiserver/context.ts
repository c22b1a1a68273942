import type { Readable } from "node:stream";
import type { AdmissionPlugin } from "../admission/index.ts";
import type { Kind } from "../api/index.ts";
import type { Authorizer, TokenAuthenticator, TokenIssuer, UserInfo } from "../auth/index.ts";
import type { Clock, Log, Random } from "../base/index.ts";
import type { NodeConnector, PatchType, RequestOptions, Verb } from "../client/index.ts";
import type { GroupVersionResource, KubeObject, SchemaRegistry } from "../machinery/index.ts";
import type { Entry, Revision, Store } from "../store/index.ts";
import type { KindStorage } from "./registry/kind-storage.ts";
import type { Resources } from "./registry/resources.ts";
import type { Bookmarks } from "./verbs/bookmarks.ts";

/** What every verb works with; made once a server. */
export interface Serving {
  store: Store;
  resources: Resources;
  schemas: SchemaRegistry;
  authenticator: TokenAuthenticator;
  authorizer: Authorizer;
  admission: readonly AdmissionPlugin[];
  nodes: NodeConnector;
  tokenIssuer: TokenIssuer;
  bookmarks: Bookmarks;
  clock: Clock;
  random: Random;
  log: Log;
}

/** Who asks, and where what is said beside the answer goes. */
export interface Caller {
  user: UserInfo;
  /** Names the field manager when no option does. */
  userAgent: string;
  /** The caller went away, or its time is up. */
  signal: AbortSignal | undefined;
  /** Becomes a `Warning: 299` header. */
  warn(message: string): void;
}

/** A body as it came: bytes over HTTP, an object in the same process (frozen perhaps: it is copied before it changes). */
export type Body =
  | { as: "object"; object: unknown }
  | { as: "bytes"; bytes: Buffer; mediaType: "json" | "yaml" | "protobuf" };

/** A request for a resource, however it came. */
export interface Call {
  verb: Verb;
  storage: KindStorage;
  subresource?: string;
  namespace?: string;
  name?: string;
  body?: Body;
  patchType?: PatchType;
  options: RequestOptions;
  /** All query parameters, for subresources with options of their own (log, exec). */
  query?: Query;
}

/** Query parameters; one that is given several times is a list. */
export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A parameter, or the first of several. */
export function parameter(query: Query | undefined, name: string): string | undefined {
  const value = query?.[name];
  return typeof value === "object" ? value[0] : value;
}

/** What a call comes to; each protocol writes it in its own way. */
export type Outcome =
  /** A stored object. */
  | { is: "entry"; code: 200 | 201; entry: Entry }
  /** An object made for this answer. */
  | { is: "object"; code: 200 | 201; object: KubeObject }
  | { is: "list"; page: ListPage }
  /** Bytes that come while they are made (a log); only over HTTP. */
  | { is: "stream"; mediaType: string; stream: Readable };

export interface ListPage {
  kind: Kind;
  entries: readonly Entry[];
  revision: Revision;
  continue?: string;
  remainingItemCount?: number;
}

/** A resource as messages and authorization name it. */
export const resourceOf = (kind: Kind): GroupVersionResource => ({
  group: kind.group,
  version: kind.version,
  resource: kind.resource,
});
