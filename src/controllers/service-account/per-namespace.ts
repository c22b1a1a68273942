import type { corev1 } from "../../api/index.ts";
import {
  configMaps,
  createWorkqueue,
  type Informer,
  namespaces,
  runWorkers,
  serviceAccounts,
} from "../../client/index.ts";
import { type GroupVersionResource, isStatus, type KubeObject, keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";

const workers = 2;

/**
 * Keeps one object of a fixed name in every namespace that is not being deleted. Both of its users stand in
 * `pkg/controller/serviceaccount` and `pkg/controller/certificates/rootcacertpublisher` upstream.
 */
class PerNamespaceController<T extends KubeObject> implements Controller {
  readonly name: string;
  readonly #context: ControllerContext;
  readonly #resource: GroupVersionResource;
  readonly #wanted: T;
  readonly #same: (object: T) => boolean;
  readonly #namespaces: Informer<corev1.Namespace>;
  readonly #objects: Informer<T>;
  readonly #queue;

  constructor(
    context: ControllerContext,
    options: { name: string; resource: GroupVersionResource; wanted: T; same: (object: T) => boolean },
  ) {
    this.name = options.name;
    this.#context = context;
    this.#resource = options.resource;
    this.#wanted = options.wanted;
    this.#same = options.same;
    this.#namespaces = context.informers.informer<corev1.Namespace>(namespaces);
    this.#objects = context.informers.informer<T>(options.resource, {
      fieldSelector: `metadata.name=${options.wanted.metadata.name}`,
    });
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stops = [
      this.#namespaces.addHandler({
        added: (namespace) => this.#queue.add(keyOf(namespace)),
        updated: (_, namespace) => this.#queue.add(keyOf(namespace)),
      }),
      this.#objects.addHandler({
        updated: (_, object) => this.#queue.add(object.metadata.namespace!),
        deleted: (object) => this.#queue.add(object.metadata.namespace!),
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  async #reconcile(namespaceName: string): Promise<undefined> {
    const namespace = this.#namespaces.get(namespaceName);
    if (!namespace || namespace.metadata.deletionTimestamp || namespace.status?.phase === "Terminating")
      return;
    const known = this.#objects.get(`${namespaceName}/${this.#wanted.metadata.name}`);
    if (known && this.#same(known)) return;
    const metadata = { ...this.#wanted.metadata, namespace: namespaceName };
    const client = this.#context.client.resource<T>(this.#resource);
    try {
      if (known) await client.update({ ...known, ...this.#wanted, metadata: known.metadata });
      else await client.create({ ...this.#wanted, metadata });
    } catch (error) {
      if (isStatus(error, "AlreadyExists") || isStatus(error, "Conflict") || isStatus(error, "NotFound"))
        return;
      // The namespace began to go meanwhile.
      if (isStatus(error, "Forbidden")) return;
      throw error;
    }
  }
}

/** The service account that pods use when they name none. */
export function defaultServiceAccountController(context: ControllerContext): Controller {
  return new PerNamespaceController<corev1.ServiceAccount>(context, {
    name: "serviceaccount-controller",
    resource: serviceAccounts,
    wanted: { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } },
    same: () => true,
  });
}

/** The CA that pods verify the API server with, as ConfigMap `kube-root-ca.crt`. */
export function rootCaPublisher(context: ControllerContext): Controller {
  const description = "The CA bundle that verifies the API server at its addresses inside the cluster.";
  return new PerNamespaceController<corev1.ConfigMap>(context, {
    name: "root-ca-certificate-publisher-controller",
    resource: configMaps,
    wanted: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kube-root-ca.crt", annotations: { "kubernetes.io/description": description } },
      data: { "ca.crt": context.rootCa },
    },
    same: (object) => object.data?.["ca.crt"] === context.rootCa && Object.keys(object.data).length === 1,
  });
}
