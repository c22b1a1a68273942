import type { corev1 } from "../../api/index.ts";
import { Recent } from "./recent.ts";

/* The numbers are client-go's (`tools/record`), which clients and their tests count on. */

/** Events that differ only by their message, before they become one… */
export const similarMax = 10;
/** …when no more than this passes from one to the next. */
export const similarWindowMs = 600_000;
/** Of one source about one object and type: that many at once… */
export const spamBurst = 25;
/** …and then one in this time. */
export const spamRefillMs = 300_000;
/** Objects and events remembered, each. */
const rememberedMax = 4_096;

/** What to do about an event. */
export type Correlated =
  | { do: "create"; event: corev1.Event; key: string }
  /** It has happened before: raise the count of the Event `name`. */
  | { do: "count"; event: corev1.Event; key: string; name: string }
  /** Too many from this source about this object. */
  | { do: "skip" };

interface Seen {
  name: string;
  count: number;
  firstTimestamp: string | undefined;
}

/**
 * Keeps a component that fails over and over from filling the store with its events.
 * Counterpart upstream: `EventCorrelator`.
 */
export class EventCorrelator {
  readonly #similar = new Recent<{ messages: Set<string>; lastMs: number }>(rememberedMax);
  readonly #seen = new Recent<Seen>(rememberedMax);
  readonly #buckets = new Recent<{ tokens: number; atMs: number }>(rememberedMax);

  correlate(event: corev1.Event, nowMs: number): Correlated {
    const similar = this.#combine(event, nowMs);
    const seen = this.#seen.get(similar.key);
    const correlated: Correlated = seen
      ? {
          do: "count",
          key: similar.key,
          name: seen.name,
          event: { ...similar.event, firstTimestamp: seen.firstTimestamp, count: seen.count + 1 },
        }
      : { do: "create", ...similar };
    this.#note(similar.key, correlated.event, seen?.name ?? similar.event.metadata.name!);
    return this.#isSpam(event, nowMs) ? { do: "skip" } : correlated;
  }

  /** It was written under this name. */
  written(key: string, event: corev1.Event): void {
    this.#note(key, event, event.metadata.name!);
  }

  /** It was not written: the next one like it is the first. */
  forget(key: string): void {
    this.#seen.delete(key);
  }

  #note(key: string, event: corev1.Event, name: string): void {
    this.#seen.set(key, { name, count: event.count ?? 1, firstTimestamp: event.firstTimestamp });
  }

  #combine(event: corev1.Event, nowMs: number): { event: corev1.Event; key: string } {
    const key = JSON.stringify([aboutOf(event), event.reason]);
    let record = this.#similar.get(key);
    if (!record || nowMs - record.lastMs > similarWindowMs) record = { messages: new Set(), lastMs: nowMs };
    record.messages.add(event.message ?? "");
    record.lastMs = nowMs;
    this.#similar.set(key, record);
    if (record.messages.size < similarMax) {
      const { fieldPath } = event.involvedObject;
      return { event, key: JSON.stringify([key, fieldPath, event.message]) };
    }
    record.messages.delete(record.messages.values().next().value!);
    return { event: { ...event, message: `(combined from similar events): ${event.message}` }, key };
  }

  #isSpam(event: corev1.Event, nowMs: number): boolean {
    const key = JSON.stringify(aboutOf(event));
    const bucket = this.#buckets.get(key) ?? { tokens: spamBurst, atMs: nowMs };
    const tokens = Math.min(spamBurst, bucket.tokens + (nowMs - bucket.atMs) / spamRefillMs);
    const isSpam = tokens < 1;
    this.#buckets.set(key, { tokens: isSpam ? tokens : tokens - 1, atMs: nowMs });
    return isSpam;
  }
}

function aboutOf({ source, involvedObject, type }: corev1.Event): unknown[] {
  const { kind, namespace, name, uid, apiVersion } = involvedObject;
  return [source?.component, source?.host, kind, namespace, name, uid, apiVersion, type];
}
