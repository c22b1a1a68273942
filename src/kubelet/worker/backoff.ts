/** Doubles with each failure in a row, up to a cap. */
export class Backoff {
  readonly #initialMs: number;
  readonly #capMs: number;
  #nextMs: number;

  constructor({ initialMs, capMs }: { initialMs: number; capMs: number }) {
    this.#initialMs = initialMs;
    this.#capMs = capMs;
    this.#nextMs = initialMs;
  }

  /** How long to wait after one more failure. */
  next(): number {
    const waitMs = this.#nextMs;
    this.#nextMs = Math.min(waitMs * 2, this.#capMs);
    return waitMs;
  }

  reset(): void {
    this.#nextMs = this.#initialMs;
  }
}
