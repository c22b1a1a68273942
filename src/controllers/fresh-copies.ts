import type { Informer } from "../client/index.ts";
import { type KubeObject, keyOf } from "../machinery/index.ts";

/**
 * An informer's copies, and what its user wrote itself and the informer has not shown yet: a controller that read its own
 * writes late would do them twice. As the volume cache of `pkg/controller/volume/persistentvolume`.
 */
export class FreshCopies<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #written = new Map<string, T>();

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  /** Follows the informer until the signal. */
  start(signal: AbortSignal): void {
    const stop = this.#informer.addHandler({
      added: (object) => this.#seen(object),
      updated: (_, object) => this.#seen(object),
      deleted: (object) => this.#seen(object),
    });
    signal.addEventListener("abort", stop);
  }

  get(key: string): T | undefined {
    return this.#written.get(key) ?? this.#informer.get(key);
  }

  list(): T[] {
    return this.#informer.list().map((object) => this.#written.get(keyOf(object)) ?? object);
  }

  /** As the API server answered a write. */
  wrote(object: T): T {
    const key = keyOf(object);
    const seen = this.#informer.get(key);
    if (!seen || revisionOf(seen) < revisionOf(object)) this.#written.set(key, object);
    return object;
  }

  #seen(object: T): void {
    const key = keyOf(object);
    const own = this.#written.get(key);
    if (own && revisionOf(own) <= revisionOf(object)) this.#written.delete(key);
  }
}

const revisionOf = ({ metadata }: KubeObject) => Number(metadata.resourceVersion);
