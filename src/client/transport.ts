import type { GroupVersionResource, KubeObject } from "../machinery/index.ts";

/**
 * How a component reaches the API server: in the same process, or over HTTPS. A component never knows which.
 *
 * - A failure is a `StatusError`, the same over both.
 * - Objects that come back are frozen and may be shared: clone before changing (`structuredClone`).
 */
export interface Transport {
  request(request: ApiRequest): Promise<ApiResult>;
  /** Starts a watch; what fails at the start or later reaches `onClose`. */
  watch(request: WatchRequest, watcher: WatchSink): { close(): void };
}

export type Verb = "get" | "list" | "create" | "update" | "patch" | "delete" | "deletecollection";
export type PatchType = "json" | "merge" | "strategic" | "apply";

export interface ApiRequest {
  verb: Verb;
  resource: GroupVersionResource;
  /** `status`, `scale`, `binding`, `eviction`, `token`, … */
  subresource?: string;
  namespace?: string;
  name?: string;
  /** The object for create and update; a `Binding`, `Eviction`, `TokenRequest`… for those subresources. */
  body?: KubeObject;
  patch?: { type: PatchType; body: unknown };
  options?: RequestOptions;
  signal?: AbortSignal;
}

/** The query parameters and `DeleteOptions` that the verbs know, by their Kubernetes names. */
export interface RequestOptions {
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  resourceVersionMatch?: "NotOlderThan" | "Exact";
  limit?: number;
  continue?: string;
  dryRun?: readonly string[];
  fieldManager?: string;
  fieldValidation?: "Strict" | "Warn" | "Ignore";
  force?: boolean;
  gracePeriodSeconds?: number;
  propagationPolicy?: "Orphan" | "Background" | "Foreground";
  preconditions?: { uid?: string; resourceVersion?: string };
}

export interface ApiResult {
  /** The object, a `Status`, or for a list: an object with `metadata` and `items`. */
  object: any;
  /** For a list, where the transport can: the items in their order, none parsed yet. Then `object.items` is made when it is read. */
  items?: readonly ObjectRef[];
}

/**
 * Where an object can be had. In process it is the store's entry, which parses its bytes when asked and keeps the
 * result while it is hot: holding on to the reference instead of the object keeps the object out of the heap.
 */
export interface ObjectRef<T = any> {
  readonly object: T;
}

export interface WatchRequest {
  resource: GroupVersionResource;
  namespace?: string;
  name?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Events after this one; absent: the current state first, as ADDED events. */
  resourceVersion?: string;
  allowWatchBookmarks?: boolean;
  /** WatchList: the current state as ADDED events, then a bookmark annotated `k8s.io/initial-events-end`. */
  sendInitialEvents?: boolean;
}

export type WatchEvent<T = KubeObject> =
  | {
      type: "ADDED" | "MODIFIED" | "DELETED";
      object: T;
      /** Where the transport can: what to hold on to instead of `object`. */
      ref?: ObjectRef<T>;
    }
  | { type: "BOOKMARK"; object: KubeObject };

export interface WatchSink {
  onEvents(events: readonly WatchEvent<any>[]): void;
  /** The watch is over; `undefined` for an orderly end. A 410 (`Expired`) means: list again. */
  onClose(error: Error | undefined): void;
}
