import { compareKeys, isPast } from "./key-order.ts";

/** Large enough that 100,000 keys make a few hundred chunks, small enough that an insertion moves little. */
const chunkLengthMax = 512;
/** Neighbours that together are shorter than this become one. */
const chunkLengthJoined = chunkLengthMax / 2;

/** A place between two items: chunk and offset within it. */
interface Place {
  chunk: number;
  offset: number;
}

/**
 * The current items, by key and in the order of keys: a two-level B-tree over a hash table.
 *
 * - `get` is a hash look-up; `set`, `delete` and the start of a scan are a binary search.
 * - `count` adds up chunk lengths: no key of the range is visited.
 * - A scan must be finished before the index is changed.
 */
export class OrderedIndex<T extends { readonly key: string }> {
  readonly #byKey = new Map<string, T>();
  /** Sorted, none empty. */
  #chunks: T[][] = [];

  /** Takes over items that are already sorted and distinct. */
  static fromSorted<T extends { readonly key: string }>(items: readonly T[]): OrderedIndex<T> {
    const index = new OrderedIndex<T>();
    for (const item of items) index.#byKey.set(item.key, item);
    for (let i = 0; i < items.length; i += chunkLengthJoined) {
      index.#chunks.push(items.slice(i, i + chunkLengthJoined));
    }
    return index;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key);
  }

  set(item: T): void {
    const isNew = !this.#byKey.has(item.key);
    this.#byKey.set(item.key, item);
    if (this.#chunks.length === 0) {
      this.#chunks.push([item]);
      return;
    }
    const place = this.#firstWhere(item.key, "atOrAfter");
    if (!isNew) {
      this.#chunks[place.chunk]![place.offset] = item;
      return;
    }
    // Before the first item of a chunk is also behind the last of the one before it.
    if (place.offset === 0 && place.chunk > 0) {
      place.chunk--;
      place.offset = this.#chunks[place.chunk]!.length;
    }
    const chunk = this.#chunks[place.chunk]!;
    chunk.splice(place.offset, 0, item);
    if (chunk.length > chunkLengthMax) this.#split(place);
  }

  delete(key: string): void {
    if (!this.#byKey.delete(key)) return;
    const place = this.#firstWhere(key, "atOrAfter");
    const chunk = this.#chunks[place.chunk]!;
    chunk.splice(place.offset, 1);
    const next = this.#chunks[place.chunk + 1];
    if (chunk.length === 0) this.#chunks.splice(place.chunk, 1);
    else if (next && chunk.length + next.length < chunkLengthJoined) {
      chunk.push(...next);
      this.#chunks.splice(place.chunk + 1, 1);
    }
  }

  /** How many keys begin with `prefix` (and stand after `after`). */
  count(prefix: string, after?: string): number {
    const start = this.#startOf(prefix, after);
    const end = this.#firstWhere(prefix, "past");
    if (end.chunk < start.chunk) return 0;
    let count = end.offset - start.offset;
    for (let i = start.chunk; i < end.chunk; i++) count += this.#chunks[i]!.length;
    return Math.max(0, count);
  }

  /** Items whose key begins with `prefix` (and stands after `after`), in order. */
  *scan(prefix: string, after?: string): Generator<T, void> {
    const start = this.#startOf(prefix, after);
    for (let c = start.chunk; c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]!;
      for (let i = c === start.chunk ? start.offset : 0; i < chunk.length; i++) {
        if (!chunk[i]!.key.startsWith(prefix)) return;
        yield chunk[i]!;
      }
    }
  }

  /** The first `limit` items of a {@link scan}, without a step through a generator for each. */
  take(prefix: string, after: string | undefined, limit: number): T[] {
    const out: T[] = [];
    const start = this.#startOf(prefix, after);
    for (let c = start.chunk; c < this.#chunks.length; c++) {
      const chunk = this.#chunks[c]!;
      for (let i = c === start.chunk ? start.offset : 0; i < chunk.length; i++) {
        const item = chunk[i]!;
        if (out.length === limit || !item.key.startsWith(prefix)) return out;
        out.push(item);
      }
    }
    return out;
  }

  #startOf(prefix: string, after: string | undefined): Place {
    return after !== undefined && compareKeys(after, prefix) >= 0
      ? this.#firstWhere(after, "after")
      : this.#firstWhere(prefix, "atOrAfter");
  }

  /** The first place whose key stands so to `key`: at or after it, after it, or after all that begin with it. */
  #firstWhere(key: string, stands: Stands): Place {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const chunk = chunks[middle]!;
      if (isSo(chunk[chunk.length - 1]!.key, stands, key)) high = middle;
      else low = middle + 1;
    }
    if (low === chunks.length) return { chunk: low, offset: 0 };
    return { chunk: low, offset: firstOffset(chunks[low]!, stands, key) };
  }

  #split({ chunk, offset }: Place): void {
    const items = this.#chunks[chunk]!;
    // Keys that come in order (names with a counter) fill chunks instead of leaving them half empty.
    const at = offset === items.length - 1 ? items.length - 1 : items.length >> 1;
    this.#chunks.splice(chunk + 1, 0, items.splice(at));
  }
}

type Stands = "atOrAfter" | "after" | "past";

function isSo(other: string, stands: Stands, key: string): boolean {
  if (stands === "past") return isPast(other, key);
  const order = compareKeys(other, key);
  return stands === "after" ? order > 0 : order >= 0;
}

/** Binary search written out: every write and every range does several, and a function for the test costs more than they do. */
function firstOffset(items: readonly { readonly key: string }[], stands: Stands, key: string): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSo(items[middle]!.key, stands, key)) high = middle;
    else low = middle + 1;
  }
  return low;
}
