import type { corev1 } from "../../api/index.ts";
import { type Clock, type Log, type Random, SystemRandom } from "../../base/index.ts";
import { formatTime, isStatus, type KubeObject, StatusError } from "../../machinery/index.ts";
import type { Client, ResourceClient } from "../client.ts";
import { events } from "../resources.ts";
import { type Correlated, EventCorrelator } from "./correlator.ts";
import type { EventRecorder, EventTarget } from "./event-recorder.ts";

/** As client-go's `maxQueuedEvents`. */
export const queuedMax = 1_000;
/** As client-go: after that, an event that cannot be delivered is given up. */
export const triesMax = 12;
export const retryMs = 10_000;
const nameLengthMax = 253;
/** As `k8s.io/kubernetes/pkg/apis/core/validation`: longer messages are cut. */
const messageLengthMax = 1_024;

export interface EventRecorderOptions {
  client: Client;
  /** `kubelet`, `default-scheduler`… */
  component: string;
  /** The node, for what runs on one. */
  host?: string;
  clock: Clock;
  log: Log;
  random?: Random;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

/** Writes one event at a time, so that counts are right; only while there are any. */
class Recorder implements EventRecorder {
  readonly #options: Required<Omit<EventRecorderOptions, "host">> & { host: string | undefined };
  readonly #events: ResourceClient<corev1.Event>;
  readonly #correlator = new EventCorrelator();
  #queue: corev1.Event[] = [];
  #writing: Promise<void> | undefined;
  #dropped = 0;
  #lastNanosecond = 0n;

  constructor(options: EventRecorderOptions) {
    this.#options = { random: new SystemRandom(), host: undefined, ...options };
    this.#events = options.client.resource<corev1.Event>(events);
  }

  event(
    about: KubeObject | EventTarget,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
    action?: string,
    atMs = this.#options.clock.now(),
  ): void {
    this.#enqueue(this.#make(referenceTo(about), type, reason, message, action, atMs));
  }

  annotatedEvent(
    about: KubeObject | EventTarget,
    annotations: Readonly<Record<string, string>>,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
  ): void {
    const event = this.#make(referenceTo(about), type, reason, message, undefined, this.#options.clock.now());
    this.#enqueue({ ...event, metadata: { ...event.metadata, annotations: { ...annotations } } });
  }

  #enqueue(event: corev1.Event): void {
    if (this.#queue.length >= queuedMax) {
      this.#dropped++;
      return;
    }
    this.#queue.push(event);
    this.#writing ??= this.#write();
  }

  async flush(): Promise<void> {
    await this.#writing;
  }

  #make(
    involvedObject: EventTarget,
    type: string,
    reason: string,
    message: string,
    action: string | undefined,
    atMs: number,
  ): corev1.Event {
    const { component, host } = this.#options;
    const now = formatTime(atMs);
    const suffix = `.${this.#nanosecond(atMs).toString(16)}`;
    return {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        name: involvedObject.name.slice(0, nameLengthMax - suffix.length) + suffix,
        namespace: involvedObject.namespace || "default",
      },
      involvedObject,
      reason,
      message: message.slice(0, messageLengthMax),
      source: { component, ...(host && { host }) },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type,
      ...(action && { action }),
      reportingComponent: component,
      reportingInstance: host ?? "",
    };
  }

  /**
   * What client-go puts into an event's name. This clock counts milliseconds; the rest is chance, but later is more:
   * what happened in one second is shown in the order of the names.
   */
  #nanosecond(atMs: number): bigint {
    const nanos = BigInt(atMs) * 1_000_000n + BigInt(Math.floor(this.#options.random.fraction() * 1e6));
    const last = this.#lastNanosecond;
    const isSameMs = nanos / 1_000_000n === last / 1_000_000n;
    this.#lastNanosecond = isSameMs && nanos <= last ? last + 1n : nanos;
    return this.#lastNanosecond;
  }

  async #write(): Promise<void> {
    for (let event = this.#queue.shift(); event; event = this.#queue.shift()) await this.#deliver(event);
    this.#writing = undefined;
    if (this.#dropped > 0) this.#options.log.warn({ count: this.#dropped }, "events were dropped");
    this.#dropped = 0;
  }

  async #deliver(event: corev1.Event): Promise<void> {
    const { clock, log, random } = this.#options;
    const correlated = this.#correlator.correlate(event, clock.now());
    if (correlated.do === "skip") return;
    for (let tries = 1; ; tries++) {
      try {
        this.#correlator.written(correlated.key, await this.#send(correlated));
        return;
      } catch (error) {
        if (!isUnreachable(error) || tries === triesMax) {
          this.#correlator.forget(correlated.key);
          log.debug({ err: error, reason: event.reason }, "event was refused");
          return;
        }
        // The first pause at random, as client-go: else all nodes come back at once.
        await clock.sleep(tries === 1 ? retryMs * random.fraction() : retryMs);
      }
    }
  }

  async #send(correlated: Exclude<Correlated, { do: "skip" }>): Promise<corev1.Event> {
    const { event } = correlated;
    if (correlated.do === "count") {
      const { count, lastTimestamp, message } = event;
      const change = { count, lastTimestamp, message };
      try {
        return await this.#events.patch(event.metadata.namespace, correlated.name, "strategic", change);
      } catch (error) {
        // Its time to live is over.
        if (!isStatus(error, "NotFound")) throw error;
      }
    }
    return await this.#events.create(event);
  }
}

/** Worth another try: nobody answered, or not now. */
function isUnreachable(error: unknown): boolean {
  return !(error instanceof StatusError) || error.code >= 500 || error.code === 429;
}

function referenceTo(about: KubeObject | EventTarget): EventTarget {
  if (!("metadata" in about)) return about;
  const { kind, apiVersion, metadata } = about as KubeObject;
  const { namespace, name, uid, resourceVersion } = metadata;
  return { kind, namespace, name: name!, uid, apiVersion, resourceVersion };
}
