import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import type { Refusal } from "../admission/admit.ts";
import type { KubeletConfig } from "../config/fields.ts";
import type { EventSink, EventTarget } from "../events.ts";
import type { PodVerdict } from "../status/pod-status.ts";
import { graceOf, type ShutdownGroup, shutdownGroups } from "./shutdown-plan.ts";

export const shuttingDownMessage = "node is shutting down";
const terminatedMessage = "Pod was terminated in response to imminent node shutdown.";
/** After its last second a pod is killed, and what it holds is given back. */
const releaseMsMax = 3_000;

export interface NodeShutdownOptions {
  config: KubeletConfig;
  clock: Clock;
  log: Log;
  events: EventSink;
  node(): EventTarget;
  activePods(): readonly corev1.Pod[];
  /** Fails the pod; resolves once nothing of it holds the node's resources any more, or the signal. */
  end(pod: corev1.Pod, verdict: PodVerdict, signal: AbortSignal): Promise<void>;
  /** The node is not ready any more. */
  onBegin(): void;
}

/** Ends the node's pods, those of high priority last. */
export class NodeShutdown {
  readonly #options: NodeShutdownOptions;
  #running: Promise<void> | undefined;

  constructor(options: NodeShutdownOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#running !== undefined;
  }

  /** Why no pod is taken any more. */
  admit(): Refusal | undefined {
    if (!this.hasBegun) return undefined;
    return { reason: "NodeShutdown", message: "Pod was rejected as the node is shutting down." };
  }

  /** Resolves when the pods have ended, or their time is over. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const { activePods, config, events, log, node, onBegin } = this.#options;
    await Promise.resolve();
    events.event(node(), "Normal", "NodeShutdown", "Shutdown manager detected shutdown event");
    onBegin();
    for (const group of shutdownGroups(config, activePods())) {
      log.info({ pods: group.pods.length, periodS: group.periodS }, "ending pods, for the node shuts down");
      await this.#end(group);
    }
  }

  async #end(group: ShutdownGroup): Promise<void> {
    const { clock, end } = this.#options;
    const over = new AbortController();
    const timer = clock.after(group.periodS * 1_000 + releaseMsMax, () =>
      over.abort(new Error("time is over")),
    );
    try {
      await Promise.all(group.pods.map((pod) => end(pod, verdictOf(graceOf(pod, group)), over.signal)));
    } finally {
      timer.cancel();
    }
  }
}

const verdictOf = (graceS: number): PodVerdict => ({
  phase: "Failed",
  reason: "Terminated",
  message: terminatedMessage,
  unlessItEndsWell: true,
  graceS,
  disruption: { reason: "TerminationByKubelet", message: terminatedMessage },
});
