import type { Store } from "./store.ts";

type Source = Pick<Store, "head" | "range" | "watch">;

/** Lists kept at once; past it they are read anew, which is only slower. */
const listsMax = 1_000;

/**
 * Lists of few objects that seldom change and that every write asks for (the limit ranges of a namespace). Each is read once and
 * kept until something under the prefix changes; whoever has been answered that it did reads the new one.
 */
export class KeptLists<T> {
  readonly #store: Source;
  readonly #lists = new Map<string, readonly T[]>();
  #changes = 0;

  /** Of lists whose prefixes begin with `prefix`. */
  constructor(store: Source, prefix: string) {
    this.#store = store;
    store.watch(
      prefix,
      { after: store.head },
      {
        onEvents: () => {
          this.#changes++;
          this.#lists.clear();
        },
      },
    );
  }

  /** The objects whose keys begin with `prefix`. */
  list(prefix: string): readonly T[] | Promise<readonly T[]> {
    return this.#lists.get(prefix) ?? this.#read(prefix);
  }

  async #read(prefix: string): Promise<readonly T[]> {
    const changesBefore = this.#changes;
    const { entries } = await this.#store.range(prefix);
    const objects: readonly T[] = entries.map((entry) => entry.object);
    if (this.#changes === changesBefore) {
      if (this.#lists.size >= listsMax) this.#lists.clear();
      this.#lists.set(prefix, objects);
    }
    return objects;
  }
}
