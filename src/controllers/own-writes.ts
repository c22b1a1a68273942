import type { Clock } from "../base/index.ts";

/** As upstream's `ExpectationsTimeout`: past this a write that no event confirmed is forgotten. */
const waitMsMax = 5 * 60_000;

/**
 * What a controller wrote and its cache has not shown yet. A controller that acted on a cache older than its own
 * writes would make a pod twice. Counterpart upstream: `controller.UIDTrackingControllerExpectations`.
 *
 * - `pending(owner)` is true until every noted write was seen, or {@link waitMsMax} passed.
 * - Memory only: after a restart the cache is filled from the store, which has the writes.
 */
export class OwnWrites {
  readonly #clock: Clock;
  readonly #byOwner = new Map<string, { uids: Set<string>; sinceMs: number }>();
  readonly #ownerOf = new Map<string, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A write was acknowledged. `what` is `+uid` for a creation, `-uid` for a deletion. */
  note(owner: string, what: string): void {
    let entry = this.#byOwner.get(owner);
    if (!entry) {
      entry = { uids: new Set(), sinceMs: 0 };
      this.#byOwner.set(owner, entry);
    }
    entry.sinceMs = this.#clock.monotonicMs();
    entry.uids.add(what);
    this.#ownerOf.set(what, owner);
  }

  /** The cache shows it now. */
  saw(what: string): void {
    const owner = this.#ownerOf.get(what);
    if (owner === undefined) return;
    this.#ownerOf.delete(what);
    const entry = this.#byOwner.get(owner);
    entry?.uids.delete(what);
    if (entry?.uids.size === 0) this.#byOwner.delete(owner);
  }

  pending(owner: string): boolean {
    const entry = this.#byOwner.get(owner);
    if (!entry) return false;
    if (this.#clock.monotonicMs() - entry.sinceMs < waitMsMax) return true;
    this.forget(owner);
    return false;
  }

  forget(owner: string): void {
    for (const what of this.#byOwner.get(owner)?.uids ?? []) this.#ownerOf.delete(what);
    this.#byOwner.delete(owner);
  }
}
