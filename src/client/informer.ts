import type { GroupVersionResource, KubeObject } from "../machinery/index.ts";

/**
 * A local copy of the objects of one resource, kept up to date by list and watch.
 *
 * - `synced` resolves once the first list is in; readers before that see what has come so far.
 * - Handlers are called in order of revision, after the copy holds the change; a missed deletion
 *   (the watch was cut) is delivered as `deleted` with the last known object.
 * - A 410 or a cut connection is healed inside: list again, diff, go on.
 * - Objects are frozen and shared.
 */
export interface Informer<T extends KubeObject = KubeObject> extends Lister<T> {
  readonly resource: GroupVersionResource;
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** Calls `added` for what is already there, later. Returns the way to stop. */
  addHandler(handler: InformerHandler<T>): () => void;
}

/** Reads of an informer's copy; never a request. */
export interface Lister<T extends KubeObject = KubeObject> {
  /** By `namespace/name`, or `name`. */
  get(key: string): T | undefined;
  list(namespace?: string): T[];
  /** By an index named when the informer was made. */
  byIndex(index: string, value: string): T[];
}

export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(before: T, after: T): void;
  deleted?(last: T): void;
}

export type Indexers<T> = Record<string, (object: T) => readonly string[]>;

/** One informer a resource and selector, shared by all that ask for it. `start` is idempotent; closing the factory ends all. */
export interface InformerFactory {
  informer<T extends KubeObject>(
    resource: GroupVersionResource,
    options?: { fieldSelector?: string; labelSelector?: string; namespace?: string; indexers?: Indexers<T> },
  ): Informer<T>;
  /** Starts every informer asked for so far and resolves when all are synced. */
  start(signal: AbortSignal): Promise<void>;
}
