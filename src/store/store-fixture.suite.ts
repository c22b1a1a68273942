import assert from "node:assert/strict";
import type { Draft, Entry, StoreEvent } from "./store.ts";

/** An object as the API server would write it. */
export const draftOf =
  (fields: Record<string, unknown> = {}): Draft =>
  (revision) => {
    const object = { metadata: { resourceVersion: String(revision) }, ...fields };
    return { bytes: Buffer.from(JSON.stringify(object)), object };
  };

/** Everything a watch delivers, and a way to wait for it. */
export function recorder() {
  const events: StoreEvent[] = [];
  let wake = () => {};
  return {
    events,
    closed: [] as Error[],
    onEvents(batch: readonly StoreEvent[]) {
      assert.ok(batch.length > 0, "a batch has at least one event");
      events.push(...batch);
      wake();
    },
    onClose(error: Error) {
      this.closed.push(error);
    },
    async count(n: number) {
      while (events.length < n) await new Promise<void>((resolve) => (wake = resolve));
      return events;
    },
  };
}

export const keysOf = (entries: readonly Entry[]) => entries.map((entry) => entry.key);
export const summary = (events: readonly StoreEvent[]) =>
  events.map(({ type, entry }) => `${type} ${entry.key}@${entry.revision}`);
