import { createWorkqueue, type Informer, runWorkers } from "../../client/index.ts";
import { type GroupVersionResource, type KubeObject, keyOf, splitKey } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";

const workers = 2;

export interface Protection<T extends KubeObject> {
  name: string;
  resource: GroupVersionResource;
  finalizer: string;
  /** From the caches first, and from the API server before the answer is no. */
  isUsed(object: T): boolean | Promise<boolean>;
  /** Calls back with keys of objects that may be used no longer, until the signal. */
  watch(mayBeFree: (key: string) => void, signal: AbortSignal): void;
}

/**
 * Holds an object that is being deleted by its finalizer, as long as something uses it. Counterpart upstream:
 * `pkg/controller/volume/{pvcprotection,pvprotection,vacprotection}`.
 */
export class ProtectionController<T extends KubeObject> implements Controller {
  readonly name: string;
  readonly #context: ControllerContext;
  readonly #protection: Protection<T>;
  readonly #objects: Informer<T>;
  readonly #queue;

  constructor(context: ControllerContext, protection: Protection<T>) {
    this.name = protection.name;
    this.#context = context;
    this.#protection = protection;
    this.#objects = context.informers.informer<T>(protection.resource);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#context;
    await informers.start(signal);
    const changed = (object: T) => this.#queue.add(keyOf(object));
    const stop = this.#objects.addHandler({ added: changed, updated: (_, object) => changed(object) });
    signal.addEventListener("abort", stop);
    this.#protection.watch((key) => this.#queue.add(key), signal);
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  async #reconcile(key: string): Promise<void> {
    const { finalizer, isUsed } = this.#protection;
    const object = this.#objects.get(key);
    if (!object) return;
    const finalizers = object.metadata.finalizers ?? [];
    const isHeld = finalizers.includes(finalizer);
    if (object.metadata.deletionTimestamp === undefined) {
      if (!isHeld) await this.#write(object, [...finalizers, finalizer]);
    } else if (isHeld && !(await isUsed(object)))
      await this.#write(
        object,
        finalizers.filter((each) => each !== finalizer),
      );
  }

  async #write(object: T, finalizers: string[]): Promise<void> {
    const { namespace, name } = splitKey(keyOf(object));
    const { resourceVersion, uid } = object.metadata;
    await this.#context.client
      .resource<T>(this.#protection.resource)
      .patch(namespace, name, "merge", { metadata: { uid, resourceVersion, finalizers } });
  }
}
