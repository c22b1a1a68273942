import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import type { EvictionSignal } from "../config/thresholds.ts";
import { type EventSink, type EventTarget, podTarget } from "../events.ts";
import { Pause } from "../pause.ts";
import type { PodVerdict } from "../status/pod-status.ts";
import { messageOf } from "../worker/start-error.ts";
import { isCritical } from "./critical.ts";
import { hasStorageLimit, storageExcess } from "./local-storage.ts";
import { type EvictionMessage, evictedReason, evictionMessage } from "./message.ts";
import { nextLookMs } from "./pace.ts";
import { ranked } from "./rank.ts";
import { type PressureCondition, resourceOf } from "./signals.ts";
import {
  crossed,
  isHard,
  look,
  noPressure,
  type PressureState,
  type Threshold,
  thresholdsOf,
} from "./thresholds.ts";
import type { DiskLayout, Observations, PodUses, UsageSource } from "./usage.ts";

/** As upstream's podCleanupTimeout: how long the next look waits for what was evicted. */
const cleanupMsMax = 30_000;
/** As upstream: a pod that is evicted at once has this long. */
const hardGraceS = 1;

/** What is done for the node before any pod is given up. */
export interface NodeReclaim {
  /** Removes the logs of pods that are gone. */
  keptLogs(): Promise<void>;
  /** Removes ended containers, also those that are kept to be looked at. */
  deadContainers(): Promise<void>;
  unusedImages(): Promise<void>;
}

export interface EvictionManagerOptions {
  config: KubeletConfig;
  clock: Clock;
  log: Log;
  events: EventSink;
  usage: UsageSource;
  reclaim: NodeReclaim;
  node(): EventTarget;
  /** Those that are not final and have something running or to run. */
  activePods(): corev1.Pod[];
  /** Fails the pod; resolves once nothing of it holds the node's resources any more, or the signal. */
  evict(pod: corev1.Pod, verdict: PodVerdict, signal: AbortSignal): Promise<void>;
  /** The node's own conditions have changed. */
  onConditions(): void;
}

/**
 * Gives up pods before the node runs out of memory, disk or processes. Counterpart upstream: `pkg/kubelet/eviction`.
 *
 * - A look is made at least every ten seconds, and before memory can have run out.
 * - What is short is first looked for in what nobody needs; then one pod is given up at a time.
 * - What it remembers may be lost: it begins again with what it sees.
 */
export class EvictionManager {
  readonly #options: EvictionManagerOptions;
  #state: PressureState = noPressure;
  #layout: DiskLayout | undefined;
  #thresholds: readonly Threshold[] = [];
  #looking: Promise<readonly corev1.Pod[]> | undefined;
  readonly #pause: Pause;

  constructor(options: EvictionManagerOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
  }

  /** What the node says of itself. */
  get conditions(): readonly PressureCondition[] {
    return this.#state.conditions;
  }

  /** Looks until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    while (!signal.aborted) {
      let evicted: readonly corev1.Pod[] = [];
      try {
        evicted = await this.synchronize(signal);
      } catch (error) {
        if (!signal.aborted) log.warn({ error: messageOf(error) }, "looking for pressure on the node failed");
      }
      if (evicted.length > 0) continue;
      await this.#pause.take(nextLookMs(this.#thresholds, this.#state.observations), signal);
    }
  }

  /** One look, and what it asks for. Returns the pods that were evicted. Looks never overlap. */
  async synchronize(signal: AbortSignal): Promise<readonly corev1.Pod[]> {
    while (this.#looking) await this.#looking.catch(() => {});
    this.#looking = this.#synchronize(signal).finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #synchronize(signal: AbortSignal): Promise<readonly corev1.Pod[]> {
    const { clock, config, usage } = this.#options;
    if (!this.#layout) {
      this.#layout = await usage.diskLayout();
      this.#thresholds = thresholdsOf(config, this.#layout);
    }
    const observations = await usage.observations();
    const before = this.#state.conditions.join();
    const { state, urgent } = look(this.#state, this.#thresholds, observations, {
      transitionMs: config.evictionPressureTransitionPeriod.ms,
      nowMs: clock.monotonicMs(),
    });
    this.#state = state;
    if (state.conditions.join() !== before) this.#options.onConditions();

    const overLimit = await this.#evictOverLimits(signal);
    if (overLimit.length > 0) return overLimit;
    const [threshold] = urgent;
    return threshold ? this.#reclaim(threshold, urgent, observations, signal) : [];
  }

  /** Pods that use more of the disk than their own limits allow. */
  async #evictOverLimits(signal: AbortSignal): Promise<readonly corev1.Pod[]> {
    const { activePods, usage } = this.#options;
    const limited = activePods().filter(hasStorageLimit);
    if (limited.length === 0) return [];
    const uses = await usage.podUses(limited, { memory: false, disk: "limited" });
    const excesses = limited.map((pod) => {
      const use = uses.get(pod.metadata.uid!);
      return { pod, message: use && storageExcess(pod, use, this.#layout!) };
    });
    const evicted = excesses.filter(({ pod, message }) => message !== undefined && !isCritical(pod));
    await this.#cleanedUp(
      evicted.map(({ pod, message }) => (over) => {
        this.#tell(pod, { message: message!, annotations: {} });
        return this.#options.evict(pod, verdictOf(message!, hardGraceS), over);
      }),
      signal,
    );
    return evicted.map(({ pod }) => pod);
  }

  async #reclaim(
    threshold: Threshold,
    urgent: readonly Threshold[],
    observations: Observations,
    signal: AbortSignal,
  ): Promise<readonly corev1.Pod[]> {
    const { activePods, events, log, node, usage } = this.#options;
    const resource = resourceOf(threshold.signal);
    log.warn({ signal: threshold.signal, resource }, "the node runs short, and reclaims");
    events.event(node(), "Warning", "EvictionThresholdMet", `Attempting to reclaim ${resource}`);
    if (await this.#reclaimForNode(threshold.signal)) return [];

    const pods = activePods();
    const isDisk = resource === "ephemeral-storage" || resource === "inodes";
    const uses = await usage.podUses(pods, { memory: !isDisk, disk: isDisk ? "all" : "none" });
    const given = ranked(pods, uses, threshold.signal, this.#layout!).find((pod) => !isCritical(pod));
    if (!given) {
      log.error({ resource }, "the node runs short, and there is no pod to evict");
      return [];
    }
    await this.#evictFor(given, threshold, urgent, { observations, uses }, signal);
    return [given];
  }

  async #evictFor(
    pod: corev1.Pod,
    threshold: Threshold,
    urgent: readonly Threshold[],
    seen: { observations: Observations; uses: PodUses },
    signal: AbortSignal,
  ): Promise<void> {
    const { config } = this.#options;
    const graceS = isHard(threshold)
      ? hardGraceS
      : Math.min(
          config.evictionMaxPodGracePeriod,
          pod.spec!.terminationGracePeriodSeconds ?? Number.POSITIVE_INFINITY,
        );
    const use = seen.uses.get(pod.metadata.uid!);
    const told = evictionMessage(pod, resourceOf(threshold.signal), use, urgent, seen.observations);
    this.#tell(pod, told);
    const verdict: PodVerdict = {
      ...verdictOf(told.message, graceS),
      disruption: { reason: "TerminationByKubelet", message: told.message },
    };
    await this.#cleanedUp([(over) => this.#options.evict(pod, verdict, over)], signal);
  }

  #tell(pod: corev1.Pod, { message, annotations }: EvictionMessage): void {
    const { events, log } = this.#options;
    log.warn({ pod: `${pod.metadata.namespace}/${pod.metadata.name}`, message }, "evicting a pod");
    events.annotatedEvent(podTarget(pod), annotations, "Warning", evictedReason, message);
  }

  /** Until what was evicted is gone, or it takes too long. */
  async #cleanedUp(
    evictions: readonly ((signal: AbortSignal) => Promise<void>)[],
    signal: AbortSignal,
  ): Promise<void> {
    if (evictions.length === 0) return;
    const over = new AbortController();
    const end = () => over.abort(new Error("no longer waited for"));
    const timer = this.#options.clock.after(cleanupMsMax, end);
    signal.addEventListener("abort", end, { once: true });
    try {
      await Promise.all(evictions.map((evict) => evict(over.signal)));
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", end);
    }
  }

  /** Whether what nobody needs was enough. As upstream's reclaimNodeLevelResources. */
  async #reclaimForNode(signal: EvictionSignal): Promise<boolean> {
    const { log, reclaim, usage } = this.#options;
    const isOfDisk = !signal.includes("emory") && signal !== "pid.available";
    const isOfNodeAlone = signal.startsWith("nodefs.") && this.#layout!.imageFs === "dedicated";
    if (!isOfDisk) return false;
    const ofImages = isOfNodeAlone ? [] : [reclaim.deadContainers, reclaim.unusedImages];
    for (const act of [reclaim.keptLogs, ...ofImages]) {
      await act().catch((error) => log.warn({ error: messageOf(error) }, "reclaiming for the node failed"));
    }
    return crossed(this.#thresholds, await usage.observations(), "reclaim").length === 0;
  }
}

const verdictOf = (message: string, graceS: number): PodVerdict => ({
  phase: "Failed",
  reason: evictedReason,
  message,
  unlessItEndsWell: true,
  graceS,
});
