import { randomUUID } from "node:crypto";
import { builtinSchemas } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import type { ApiRequest, ApiResult, Transport, WatchRequest, WatchSink } from "../../client/index.ts";
import {
  alreadyExists,
  conflict,
  formatTime,
  type KubeObject,
  notFound,
  strategicMergePatch,
} from "../../machinery/index.ts";

interface Watch {
  request: WatchRequest;
  sink: WatchSink;
}

/** As much of an API server as a node's agent asks for, in memory. Every request is noted. */
export class FakeApi implements Transport {
  readonly requests: ApiRequest[] = [];
  readonly #clock: Clock;
  readonly #objects = new Map<string, KubeObject>();
  readonly #watches = new Set<Watch>();
  #revision = 1;
  /** Set to make requests fail. */
  failure: ((request: ApiRequest) => Error | undefined) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async request(request: ApiRequest): Promise<ApiResult> {
    this.requests.push(request);
    const error = this.failure?.(request);
    if (error) throw error;
    // As a server: never in the caller's turn.
    await Promise.resolve();
    return { object: this.#perform(request) };
  }

  watch(request: WatchRequest, sink: WatchSink): { close(): void } {
    const watch = { request, sink };
    this.#watches.add(watch);
    return { close: () => this.#watches.delete(watch) };
  }

  /** Puts an object there, new or changed, and tells the watchers. */
  put(resource: string, object: KubeObject): KubeObject {
    const key = keyOf(resource, object.metadata.namespace, object.metadata.name!);
    const before = this.#objects.get(key);
    const stored: KubeObject = {
      ...object,
      metadata: {
        creationTimestamp: formatTime(this.#clock.now()),
        uid: before?.metadata.uid ?? randomUUID(),
        ...object.metadata,
        resourceVersion: String(++this.#revision),
      },
    };
    this.#objects.set(key, stored);
    this.#tell(resource, before ? "MODIFIED" : "ADDED", stored);
    return stored;
  }

  get(resource: string, namespace: string | undefined, name: string): any {
    return this.#objects.get(keyOf(resource, namespace, name));
  }

  /** All of a resource. */
  all(resource: string): KubeObject[] {
    return [...this.#objects].filter(([key]) => key.startsWith(`${resource}/`)).map(([, object]) => object);
  }

  remove(resource: string, namespace: string | undefined, name: string): void {
    const key = keyOf(resource, namespace, name);
    const last = this.#objects.get(key);
    if (!last) return;
    this.#objects.delete(key);
    const metadata = { ...last.metadata, resourceVersion: String(++this.#revision) };
    this.#tell(resource, "DELETED", { ...last, metadata });
  }

  #perform(request: ApiRequest): any {
    const { verb, namespace, name, resource } = request;
    const { resource: plural } = resource;
    const existing = name === undefined ? undefined : this.get(plural, namespace, name);
    switch (verb) {
      case "list": {
        const items = this.all(plural).filter((object) =>
          selects(object, namespace, request.options?.fieldSelector),
        );
        return { metadata: { resourceVersion: String(this.#revision) }, items };
      }
      case "create":
        if (request.subresource === "token") return this.#token(request);
        if (this.get(plural, namespace, request.body!.metadata.name!)) {
          throw alreadyExists(resource, request.body!.metadata.name!);
        }
        return this.put(plural, { ...request.body!, metadata: { ...request.body!.metadata, namespace } });
      case "get":
        if (!existing) throw notFound(resource, name!);
        return existing;
      case "update":
        if (!existing) throw notFound(resource, name!);
        return this.put(plural, request.body!);
      case "patch":
        if (!existing) throw notFound(resource, name!);
        return this.#patch(request, existing);
      case "delete":
        if (!existing) throw notFound(resource, name!);
        return this.#delete(request, existing);
      case "deletecollection":
        throw new Error("not asked for by a node's agent");
    }
  }

  #patch({ patch, resource, name }: ApiRequest, existing: KubeObject): KubeObject {
    const { metadata, ...body } = patch!.body as { metadata?: { uid?: string } };
    const { uid, ...changed } = metadata ?? {};
    if (uid && uid !== existing.metadata.uid) {
      throw conflict(resource, name!, `Precondition failed: UID in precondition: ${uid}`);
    }
    const { group, version } = resource;
    const type = builtinSchemas.kind(group, version, existing.kind)!;
    const merged = strategicMergePatch(type, existing, { ...body, metadata: changed }, builtinSchemas);
    return this.put(resource.resource, merged);
  }

  #delete({ options, resource, namespace, name }: ApiRequest, existing: KubeObject): KubeObject {
    const uid = options?.preconditions?.uid;
    if (uid && uid !== existing.metadata.uid)
      throw conflict(resource, name!, `Precondition failed: UID in precondition: ${uid}`);
    const graceS = options?.gracePeriodSeconds ?? existing.spec?.terminationGracePeriodSeconds ?? 30;
    if (resource.resource !== "pods" || graceS === 0 || !existing.spec.nodeName) {
      this.remove(resource.resource, namespace, name!);
      return existing;
    }
    const deletionTimestamp = formatTime(this.#clock.now() + graceS * 1_000);
    const metadata = { ...existing.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceS };
    return this.put(resource.resource, { ...existing, metadata });
  }

  #token({ body }: ApiRequest): any {
    const expirationTimestamp = formatTime(this.#clock.now() + body!.spec.expirationSeconds * 1_000);
    return { ...body, status: { token: `token-${++this.#revision}`, expirationTimestamp } };
  }

  #tell(resource: string, type: "ADDED" | "MODIFIED" | "DELETED", object: KubeObject): void {
    for (const { request, sink } of [...this.#watches]) {
      if (request.resource.resource !== resource) continue;
      if (!selects(object, request.namespace, request.fieldSelector)) continue;
      sink.onEvents([{ type, object }]);
    }
  }
}

const keyOf = (resource: string, namespace: string | undefined, name: string) =>
  `${resource}/${namespace ?? ""}/${name}`;

function selects(
  object: KubeObject,
  namespace: string | undefined,
  fieldSelector: string | undefined,
): boolean {
  if (namespace && object.metadata.namespace !== namespace) return false;
  return (fieldSelector ? fieldSelector.split(",") : []).every((term) => {
    const [path, value] = term.split("=") as [string, string];
    const found = path.split(".").reduce<any>((at, part) => at?.[part], object);
    return (found ?? "") === value;
  });
}
