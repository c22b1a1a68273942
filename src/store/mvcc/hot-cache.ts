/**
 * Values that can be made again from an entry's bytes (its parsed object, a Table row…), kept while hot.
 *
 * A clock: a value that was used since the hand last passed gets another round, so that one scan over
 * everything does not push out what is used all the time.
 */
export class HotCache {
  readonly #bytesMax: number;
  #bytes = 0;
  #ring: HotCell<unknown>[] = [];
  /** Cells before this index have been passed by the hand. */
  #hand = 0;

  constructor(options: { bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Gives `cell` its value, and takes others away when there is no room. */
  fill<T>(cell: HotCell<T>, value: T, bytes: number): void {
    cell.value = value;
    cell.bytes = bytes;
    cell.touched = false;
    this.#bytes += bytes;
    this.#ring.push(cell);
    if (this.#bytes > this.#bytesMax) this.#evict();
  }

  #evict(): void {
    // One value larger than the whole budget stays until the next one comes.
    while (this.#bytes > this.#bytesMax && this.#hand < this.#ring.length - 1) {
      const cell = this.#ring[this.#hand++]!;
      if (cell.touched) {
        cell.touched = false;
        this.#ring.push(cell);
      } else {
        cell.value = undefined;
        this.#bytes -= cell.bytes;
      }
    }
    if (this.#hand > 1_024 && this.#hand > this.#ring.length / 2) {
      this.#ring = this.#ring.slice(this.#hand);
      this.#hand = 0;
    }
  }
}

/** Where a value is kept; `undefined` while it is not. */
export class HotCell<T> {
  value: T | undefined = undefined;
  bytes = 0;
  touched = false;

  /** The value, marked as used. */
  take(): T | undefined {
    if (this.value !== undefined) this.touched = true;
    return this.value;
  }
}
