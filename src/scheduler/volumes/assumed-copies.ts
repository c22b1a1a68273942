import type { Informer } from "../../client/index.ts";
import { type KubeObject, keyOf } from "../../machinery/index.ts";

/**
 * An informer's copies, as they will be once what was decided is written. What is assumed counts until it is taken back,
 * or until a later state is seen. Counterpart upstream: `volumebinding.AssumeCache`.
 */
export class AssumedCopies<T extends KubeObject> {
  readonly #informer: Informer<T>;
  readonly #assumed = new Map<string, T>();

  constructor(informer: Informer<T>) {
    this.#informer = informer;
  }

  get(key: string): T | undefined {
    const seen = this.#informer.get(key);
    const assumed = this.#assumed.get(key);
    if (!assumed || !seen || revisionOf(seen) > revisionOf(assumed)) {
      this.#assumed.delete(key);
      return seen;
    }
    return assumed;
  }

  byIndex(index: string, value: string): T[] {
    return this.#informer.byIndex(index, value).map((object) => this.get(keyOf(object)) ?? object);
  }

  /** As it is to be, of the revision that was decided on; or as the API server answered a write. */
  assume(object: T): void {
    this.#assumed.set(keyOf(object), object);
  }

  takeBack(key: string): void {
    this.#assumed.delete(key);
  }
}

const revisionOf = ({ metadata }: KubeObject) => Number(metadata.resourceVersion);
