/**
 * Work that several may want at once and that is done once. Who finds it under way waits for it; should it fail (its
 * starter may have given up), the next in line does it.
 */
export class SharedWork {
  readonly #inFlight = new Map<string, Promise<void>>();

  /** `isDone` is asked again after each wait. Rejects as `work` does, or with the signal's reason. */
  async run(
    key: string,
    isDone: () => boolean,
    work: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    for (let other = this.#inFlight.get(key); other; other = this.#inFlight.get(key)) {
      const settled = other.catch(() => {});
      await abortable(settled, signal);
    }
    if (isDone()) return;
    const mine = work().finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, mine);
    await mine;
  }
}

/** The promise, or the signal's reason, whichever comes first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
