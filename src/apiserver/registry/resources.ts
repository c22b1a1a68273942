import type { Kind } from "../../api/index.ts";
import { noSuchResource } from "../../machinery/index.ts";
import type { Store } from "../../store/index.ts";
import { convertedStore } from "./converted-store.ts";
import { KindStorage } from "./kind-storage.ts";

/** The resources served, by group, version and plural name. */
export class Resources {
  readonly #byPath = new Map<string, KindStorage>();
  readonly #store: Store;

  constructor(store: Store, kinds: readonly Kind[]) {
    this.#store = store;
    for (const kind of kinds) this.add(kind);
  }

  add(kind: Kind): void {
    const store = kind.storedAs ? convertedStore(this.#store, kind.storedAs) : this.#store;
    this.#byPath.set(pathOf(kind.group, kind.version, kind.resource), new KindStorage(store, kind));
  }

  /** Throws the 404 of an unknown resource. */
  get(group: string, version: string, resource: string): KindStorage {
    const storage = this.#byPath.get(pathOf(group, version, resource));
    if (!storage) throw noSuchResource();
    return storage;
  }

  find(group: string, version: string, resource: string): KindStorage | undefined {
    return this.#byPath.get(pathOf(group, version, resource));
  }

  /** In the order in which they were added. */
  *all(): Iterable<KindStorage> {
    yield* this.#byPath.values();
  }
}

const pathOf = (group: string, version: string, resource: string) => `${group}/${version}/${resource}`;
