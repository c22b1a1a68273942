import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { patchPodStatus, pods, type Transport } from "../../client/index.ts";
import { isStatus, StatusError } from "../../machinery/index.ts";
import type { Series } from "../stats/exposition.ts";
import { Backoff } from "../worker/backoff.ts";
import type { PodStatuses } from "../worker/services.ts";
import { ContainerEnds } from "./container-ends.ts";
import { statusPatch } from "./status-patch.ts";

const writeBackoff = { initialMs: 100, capMs: 10_000 };

interface Entry {
  pod: corev1.Pod;
  /** What the pod's status should say. */
  wanted: corev1.PodStatus;
  /** What the API last said it says. */
  written: corev1.PodStatus;
  /** Of the object that `written` is from. */
  revision: number;
  writing: Promise<void> | undefined;
  isGone: boolean;
  backoff: Backoff;
}

/**
 * Writes the statuses of this node's pods.
 *
 * - One write a pod at a time; what changes meanwhile goes into the next one: nothing is lost, nothing waits for a timer.
 * - Only what has changed is sent, and only if the object is still the same (its uid is in the patch).
 * - A failed write is repeated until it succeeds, the pod is gone, or the agent stops.
 */
export class StatusWriter implements PodStatuses {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #entries = new Map<string, Entry>();
  readonly #ends = new ContainerEnds();

  constructor(options: { transport: Transport; clock: Clock; log: Log; signal: AbortSignal }) {
    this.#transport = options.transport;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#signal = options.signal;
  }

  set(pod: corev1.Pod, status: corev1.PodStatus): void {
    const entry = this.#entryOf(pod);
    this.#see(entry, pod);
    this.#ends.see(entry.wanted, status);
    entry.wanted = status;
    this.#write(entry);
  }

  get containerEnds(): readonly Series[] {
    return this.#ends.series;
  }

  async flushed(podUid: string): Promise<void> {
    for (;;) {
      const writing = this.#entries.get(podUid)?.writing;
      if (!writing) return;
      await writing;
    }
  }

  async deletePod(pod: corev1.Pod): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    try {
      await this.#transport.request({
        verb: "delete",
        resource: pods,
        namespace,
        name,
        options: { gracePeriodSeconds: 0, preconditions: { uid } },
      });
    } catch (error) {
      if (!isGoneError(error)) throw error;
    }
  }

  forget(podUid: string): void {
    this.#entries.delete(podUid);
  }

  #entryOf(pod: corev1.Pod): Entry {
    const uid = pod.metadata.uid!;
    let entry = this.#entries.get(uid);
    if (!entry) {
      const written = pod.status ?? {};
      entry = {
        pod,
        wanted: written,
        written,
        revision: Number(pod.metadata.resourceVersion ?? 0),
        writing: undefined,
        isGone: false,
        backoff: new Backoff(writeBackoff),
      };
      this.#entries.set(uid, entry);
    }
    return entry;
  }

  /** A newer object replaces what is known of the API's status: someone else may have written it. */
  #see(entry: Entry, pod: corev1.Pod): void {
    const revision = Number(pod.metadata.resourceVersion ?? 0);
    entry.pod = pod;
    if (revision <= entry.revision || entry.writing) return;
    entry.revision = revision;
    entry.written = pod.status ?? {};
  }

  #write(entry: Entry): void {
    if (entry.writing || entry.isGone || this.#signal.aborted) return;
    if (!statusPatch(entry.written, entry.wanted)) return;
    entry.writing = this.#writeAll(entry).finally(() => {
      entry.writing = undefined;
    });
  }

  async #writeAll(entry: Entry): Promise<void> {
    // What the same turn still changes goes into this write.
    await Promise.resolve();
    for (;;) {
      const wanted = entry.wanted;
      const patch = statusPatch(entry.written, wanted);
      if (!patch || entry.isGone || this.#signal.aborted) return;
      try {
        const object = await patchPodStatus(this.#transport, entry.pod, patch, this.#signal);
        entry.backoff.reset();
        entry.written = object?.status ?? wanted;
        entry.revision = Math.max(entry.revision, Number(object?.metadata?.resourceVersion ?? 0));
        if (statusPatch(entry.written, wanted)) {
          // The server keeps something else than it was sent (defaults, pruning): sending it again would not help.
          entry.written = wanted;
        }
      } catch (error) {
        if (isGoneError(error)) {
          entry.isGone = true;
          return;
        }
        this.#log.warn(
          { pod: entry.pod.metadata.name, error: String(error) },
          "writing a pod's status failed",
        );
        await this.#clock.sleep(entry.backoff.next(), this.#signal).catch(() => {});
      }
    }
  }
}

/** The pod is not there any more, or is another one of the same name. */
function isGoneError(error: unknown): boolean {
  if (isStatus(error, "NotFound")) return true;
  return error instanceof StatusError && error.code === 409 && /\bUID\b/i.test(error.message);
}
