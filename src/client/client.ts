import type { GroupVersionResource, KubeList, KubeObject } from "../machinery/index.ts";
import type {
  ApiRequest,
  PatchType,
  RequestOptions,
  Transport,
  WatchRequest,
  WatchSink,
} from "./transport.ts";

/** Typed requests over a {@link Transport}. What fails, fails as a `StatusError`. */
export interface Client {
  readonly transport: Transport;
  resource<T extends KubeObject = KubeObject>(resource: GroupVersionResource): ResourceClient<T>;
}

/** The verbs of one resource. `namespace` is undefined for what has none, and to list or watch across all. */
export interface ResourceClient<T extends KubeObject = KubeObject> {
  get(namespace: string | undefined, name: string, options?: CallOptions): Promise<T>;
  list(options?: { namespace?: string } & CallOptions): Promise<KubeList<T>>;
  /** Into the namespace the object names. */
  create(object: T, options?: CallOptions): Promise<T>;
  update(object: T, options?: CallOptions): Promise<T>;
  updateStatus(object: T, options?: CallOptions): Promise<T>;
  patch(
    namespace: string | undefined,
    name: string,
    type: PatchType,
    body: unknown,
    options?: CallOptions,
  ): Promise<T>;
  /** Returns the object as it is now (marked, with finalizers or a grace period), or a `Status` when it is gone. */
  delete(namespace: string | undefined, name: string, options?: CallOptions): Promise<KubeObject>;
  deleteCollection(namespace: string | undefined, options?: CallOptions): Promise<void>;
  /** POST to a subresource: `binding`, `eviction`, `token`. */
  createSubresource(
    namespace: string | undefined,
    name: string,
    subresource: string,
    body: KubeObject,
    options?: CallOptions,
  ): Promise<any>;
  watch(options: Omit<WatchRequest, "resource">, watcher: WatchSink): { close(): void };
}

export type CallOptions = RequestOptions & { subresource?: string; signal?: AbortSignal };
export function createClient(transport: Transport): Client {
  return {
    transport,
    resource: <T extends KubeObject>(resource: GroupVersionResource) =>
      resourceClient<T>(transport, resource),
  };
}

function resourceClient<T extends KubeObject>(
  transport: Transport,
  resource: GroupVersionResource,
): ResourceClient<T> {
  const call = async (
    request: Omit<ApiRequest, "resource" | "options" | "signal" | "subresource">,
    { subresource, signal, ...options }: CallOptions = {},
  ) => {
    const { object } = await transport.request({ ...request, resource, subresource, signal, options });
    return object;
  };
  const placeOf = ({ metadata }: KubeObject) => ({ namespace: metadata.namespace, name: metadata.name! });

  return {
    get: (namespace, name, options) => call({ verb: "get", namespace, name }, options),
    list: ({ namespace, ...options } = {}) => call({ verb: "list", namespace }, options),
    create: (object, options) =>
      call({ verb: "create", namespace: object.metadata.namespace, body: object }, options),
    update: (object, options) => call({ verb: "update", ...placeOf(object), body: object }, options),
    updateStatus: (object, options) =>
      call({ verb: "update", ...placeOf(object), body: object }, { ...options, subresource: "status" }),
    patch: (namespace, name, type, body, options) =>
      call({ verb: "patch", namespace, name, patch: { type, body } }, options),
    delete: (namespace, name, options) => call({ verb: "delete", namespace, name }, options),
    deleteCollection: async (namespace, options) => {
      await call({ verb: "deletecollection", namespace }, options);
    },
    createSubresource: (namespace, name, subresource, body, options) =>
      call({ verb: "create", namespace, name, body }, { ...options, subresource }),
    watch: (options, watcher) => transport.watch({ ...options, resource }, watcher),
  };
}
