import {
  alreadyExists,
  conflict,
  type GroupVersionResource,
  type KubeObject,
  notFound,
  resourceExpired,
  staleResourceVersion,
} from "../../machinery/index.ts";
import type { ApiRequest, ApiResult, Transport, WatchEvent, WatchRequest, WatchSink } from "../transport.ts";

/**
 * Just enough of an API server for the tests of this room: objects by key, a log of events, watches. It can be
 * told to fail, to cut its watches and to forget its history.
 */
export class FakeApi implements Transport {
  readonly requests: ApiRequest[] = [];
  readonly watches = new Set<{ request: WatchRequest; sink: WatchSink }>();
  /** Thrown by the next requests, in order. */
  readonly failures: Error[] = [];
  readonly #objects = new Map<string, KubeObject>();
  #log: { key: string; revision: number; event: WatchEvent }[] = [];
  #revision = 1;
  #compacted = 1;

  async request(request: ApiRequest): Promise<ApiResult> {
    this.requests.push(request);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const { resource, name = "", namespace } = request;
    switch (request.verb) {
      case "list": {
        const items = this.objects(resource, namespace);
        const metadata = { resourceVersion: String(this.#revision) };
        return { object: { apiVersion: "v1", kind: "List", metadata, items } };
      }
      case "get":
        return { object: this.get(resource, namespace, name) };
      case "create":
        return { object: this.create(resource, request.body!) };
      case "update":
        return { object: this.update(resource, request.body!) };
      case "patch": {
        const old = this.get(resource, namespace, name);
        return { object: this.update(resource, { ...old, ...(request.patch!.body as object) }) };
      }
      case "delete":
        return { object: this.delete(resource, namespace, name) };
      case "deletecollection":
        for (const { metadata } of this.objects(resource, namespace)) {
          this.delete(resource, metadata.namespace, metadata.name!);
        }
        return { object: {} };
    }
  }

  watch(request: WatchRequest, sink: WatchSink): { close(): void } {
    const watch = { request, sink };
    queueMicrotask(() => {
      const since = Number(request.resourceVersion);
      if (since < this.#compacted) return sink.onClose(resourceExpired("too old resource version"));
      this.watches.add(watch);
      const missed = this.#log.filter(({ key, revision }) => revision > since && isIn(key, request));
      if (missed.length > 0) sink.onEvents(missed.map(({ event }) => event));
    });
    return { close: () => this.watches.delete(watch) };
  }

  /** Ends every watch, as a server that goes away does. */
  cut(error?: Error): void {
    for (const watch of [...this.watches]) {
      this.watches.delete(watch);
      watch.sink.onClose(error);
    }
  }

  /** Forgets what happened so far: a watch from before fails with 410. */
  compact(): void {
    this.#log = [];
    this.#compacted = this.#revision;
  }

  bookmark(): void {
    this.#revision++;
    const metadata = { resourceVersion: String(this.#revision) };
    for (const { sink } of this.watches) {
      sink.onEvents([{ type: "BOOKMARK", object: { apiVersion: "v1", kind: "Pod", metadata } }]);
    }
  }

  objects(resource: GroupVersionResource, namespace?: string): KubeObject[] {
    const found = [...this.#objects].filter(([key]) => isIn(key, { resource, namespace }));
    return found.map(([, object]) => object);
  }

  get(resource: GroupVersionResource, namespace: string | undefined, name: string): KubeObject {
    const object = this.#objects.get(keyIn(resource, namespace, name));
    if (!object) throw notFound(resource, name);
    return object;
  }

  create(resource: GroupVersionResource, object: Partial<KubeObject>): KubeObject {
    const { namespace, name = "" } = object.metadata!;
    const key = keyIn(resource, namespace, name);
    if (this.#objects.has(key)) throw alreadyExists(resource, name);
    return this.#write("ADDED", key, { metadata: { uid: `uid-${this.#revision}` }, ...object } as KubeObject);
  }

  update(resource: GroupVersionResource, object: KubeObject): KubeObject {
    const { namespace, name = "", resourceVersion } = object.metadata;
    const old = this.get(resource, namespace, name);
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
      throw conflict(resource, name, staleResourceVersion);
    }
    return this.#write("MODIFIED", keyIn(resource, namespace, name), object);
  }

  delete(resource: GroupVersionResource, namespace: string | undefined, name: string): KubeObject {
    const old = this.get(resource, namespace, name);
    return this.#write("DELETED", keyIn(resource, namespace, name), old);
  }

  #write(type: "ADDED" | "MODIFIED" | "DELETED", key: string, written: KubeObject): KubeObject {
    const revision = ++this.#revision;
    const uid = this.#objects.get(key)?.metadata.uid ?? `uid-${revision}`;
    const metadata = { uid, ...written.metadata, resourceVersion: String(revision) };
    const object = Object.freeze({ ...written, metadata: Object.freeze(metadata) });
    if (type === "DELETED") this.#objects.delete(key);
    else this.#objects.set(key, object);
    const event = { type, object };
    this.#log.push({ key, revision, event });
    for (const { request, sink } of this.watches) if (isIn(key, request)) sink.onEvents([event]);
    return object;
  }
}

const keyIn = ({ group, resource }: GroupVersionResource, namespace = "", name = "") =>
  `${group}/${resource}|${namespace}|${name}`;

const isIn = (key: string, { resource, namespace }: { resource: GroupVersionResource; namespace?: string }) =>
  key.startsWith(namespace ? `${keyIn(resource, namespace)}` : `${resource.group}/${resource.resource}|`);
