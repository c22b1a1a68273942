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
  /** Cells in the ring that were emptied before their turn; about, since they count until the ring is cleared of them. */
  #emptied = 0;

  constructor(options: { bytesMax: number }) {
    this.#bytesMax = options.bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the value of a cell away that nobody will ask for any more. */
  empty(cell: HotCell<unknown>): void {
    if (cell.value === undefined) return;
    this.#bytes -= cell.bytes;
    cell.value = undefined;
    cell.bytes = 0;
    this.#emptied++;
    if (this.#emptied > 1_024 && this.#emptied > this.#ring.length / 2) {
      this.#ring = this.#ring.slice(this.#hand).filter(({ value }) => value !== undefined);
      this.#hand = 0;
      this.#emptied = 0;
    }
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
        // It may be in the ring once more: where it was emptied and filled again.
        cell.bytes = 0;
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
