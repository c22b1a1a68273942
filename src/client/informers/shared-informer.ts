import type { Log } from "../../base/index.ts";
import { type GroupVersionResource, type KubeObject, keyOf } from "../../machinery/index.ts";
import type { InformerHandler } from "../informer.ts";
import type { ObjectRef, WatchEvent } from "../transport.ts";
import { HandlerQueue, type Notification, sliceLength } from "./handler-queue.ts";
import { ObjectCache } from "./object-cache.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";

/** The copy of one resource and selection, and everyone who hangs on it. */
export class SharedInformer<T extends KubeObject> {
  readonly resource: GroupVersionResource;
  readonly cache = new ObjectCache<T>();
  readonly synced: Promise<void>;
  hasSynced = false;
  readonly #reflector: Reflector;
  readonly #handlers = new Set<HandlerQueue<T>>();
  readonly #log: Log;
  #setSynced!: () => void;
  #running: Promise<void> | undefined;

  constructor(options: Omit<ReflectorOptions, "replace" | "apply">) {
    this.resource = options.resource;
    this.#log = options.log;
    this.synced = new Promise((resolve) => {
      this.#setSynced = resolve;
    });
    this.#reflector = new Reflector({
      ...options,
      replace: (items) => this.#replace(items),
      apply: (events) => this.#apply(events),
    });
  }

  /** Idempotent. */
  start(signal: AbortSignal): void {
    this.#running ??= this.#reflector.run(signal).finally(() => {
      this.#running = undefined;
    });
  }

  addHandler(handler: InformerHandler<T>): () => void {
    const queue = new HandlerQueue(handler, { log: this.#log, present: this.cache.refs() });
    this.#handlers.add(queue);
    return () => {
      queue.close();
      this.#handlers.delete(queue);
    };
  }

  /** A new whole state: what differs from the copy is applied, in slices between which the event loop has its turn. */
  async #replace(items: readonly ObjectRef<T>[]): Promise<void> {
    const gone = new Set(this.cache.keys());
    for (const [i, ref] of items.entries()) {
      if (i > 0 && i % sliceLength === 0) await new Promise(setImmediate);
      const object = ref.object;
      gone.delete(keyOf(object));
      this.#put(ref, object);
    }
    for (const key of gone) this.#remove(key, this.cache.get(key)!);
    if (this.hasSynced) return;
    this.hasSynced = true;
    this.#setSynced();
  }

  #apply(events: readonly WatchEvent<T>[]): void {
    for (const event of events) {
      if (event.type === "BOOKMARK") continue;
      const ref = event.ref ?? { object: event.object };
      if (event.type === "DELETED") this.#remove(keyOf(event.object), ref);
      else this.#put(ref, event.object);
    }
  }

  #put(ref: ObjectRef<T>, object: T): void {
    const key = keyOf(object);
    const before = this.cache.get(key);
    const beforeObject = before?.object;
    if (before && beforeObject!.metadata.uid !== object.metadata.uid) {
      // Deleted and made again while nobody watched: another object, although of the same name.
      this.#remove(key, before);
      this.#put(ref, object);
      return;
    }
    if (beforeObject && beforeObject.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.cache.set(key, ref, object, beforeObject);
    this.#notify(before ? { type: "updated", before, after: ref } : { type: "added", ref });
  }

  #remove(key: string, last: ObjectRef<T>): void {
    const before = this.cache.get(key);
    if (!before) return;
    this.cache.delete(key, before.object);
    this.#notify({ type: "deleted", last });
  }

  #notify(notification: Notification<T>): void {
    for (const handler of this.#handlers) handler.notify(notification);
  }
}
