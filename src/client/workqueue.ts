/**
 * A queue of keys to reconcile. As client-go's `util/workqueue`.
 *
 * - A key is in the queue at most once, however often it is added.
 * - A key is never given to two workers at once: added while being worked on, it comes again afterwards.
 * - A failed key comes again after a back-off that doubles for each failure in a row, up to a cap.
 * - Fair: first in, first out; a key added with a delay is in the queue only when due.
 */
export interface Workqueue {
  add(key: string): void;
  addAfter(key: string, delayMs: number): void;
  readonly length: number;
}

/** What one pass asks for. `afterMs`: look again then, even if nothing happens. */
// biome-ignore lint/suspicious/noConfusingVoidType: most reconcilers return nothing.
export type ReconcileResult = { afterMs?: number } | void;
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;
