import { setImmediate } from "node:timers/promises";
import type { Log } from "../base/index.ts";
import { isStatus } from "../machinery/index.ts";
import type { WorkerQueue } from "./queue.ts";
import type { Reconcile } from "./workqueue.ts";

export interface WorkersOptions {
  queue: WorkerQueue;
  /** How many keys are worked on at once. */
  workers: number;
  reconcile: Reconcile;
  signal: AbortSignal;
  log: Log;
}

/**
 * Reconciles what the queue gives until the signal is aborted; resolves when the last worker is done.
 * Never rejects: a reconciliation that throws is tried again after its back-off.
 */
export async function runWorkers(options: WorkersOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.workers }, () => work(options)));
}

async function work({ queue, reconcile, signal, log }: WorkersOptions): Promise<void> {
  for (;;) {
    const key = await queue.take(signal);
    if (key === undefined) return;
    try {
      const result = await reconcile(key, signal);
      queue.forget(key);
      if (result?.afterMs !== undefined) queue.addAfter(key, result.afterMs);
    } catch (error) {
      if (signal.aborted) return;
      const retryMs = queue.retry(key);
      // Losing a race is how optimistic concurrency works, not a fault.
      const level = isStatus(error, "Conflict") ? "debug" : "warn";
      log[level]({ key, retryMs, err: error }, "reconciliation failed");
    } finally {
      queue.done(key);
    }
    // Where the store is in memory nothing else would give the others their turn: who asks by network, and the clock.
    await setImmediate();
  }
}
