import { type corev1, isPodTerminal } from "../../api/index.ts";
import {
  createWorkqueue,
  type Informer,
  nodes,
  pods,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { isStatus } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { type Disruption, disruptionCondition, disruptPod } from "../mark-disrupted.ts";
import { collect } from "./select.ts";

/** The one key: a pass looks at all pods. */
const pass = "pass";
/** Many changes come at once; nobody waits for this controller. */
const settleMs = 1_000;

export interface PodGcLimits {
  /** Ended pods that are kept. */
  endedMax: number;
  /** How long a node must be missing before its pods are given up. */
  quarantineMs: number;
}

/** As upstream's `--terminated-pod-gc-threshold` and its quarantine. */
const limitsDefault: PodGcLimits = { endedMax: 12_500, quarantineMs: 40_000 };

const orphanedDisruption: Disruption = {
  reason: "DeletionByPodGC",
  message: "PodGC: node no longer exists",
};

/** Deletes pods that nobody else would delete. Counterpart upstream: `pkg/controller/podgc`. */
export class PodGc implements Controller {
  readonly name = "pod-garbage-collector";
  readonly #context: ControllerContext;
  readonly #limits: PodGcLimits;
  readonly #pods: Informer<corev1.Pod>;
  readonly #nodes: Informer<corev1.Node>;
  readonly #queue;
  /** Since when nodes of pods have been missing, in monotonic ms. */
  readonly #missingSinceMs = new Map<string, number>();

  constructor(context: ControllerContext, limits: PodGcLimits = limitsDefault) {
    this.#context = context;
    this.#limits = limits;
    this.#pods = context.informers.informer<corev1.Pod>(pods);
    this.#nodes = context.informers.informer<corev1.Node>(nodes);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const soon = () => this.#queue.addAfter(pass, settleMs);
    const look = (pod: corev1.Pod) => {
      const isMissing = pod.spec!.nodeName && !this.#nodes.get(pod.spec!.nodeName);
      if (pod.metadata.deletionTimestamp || isPodTerminal(pod) || isMissing) soon();
    };
    const stops = [
      this.#nodes.addHandler({ added: soon, deleted: soon, updated: (_, after) => this.#nodeChanged(after) }),
      this.#pods.addHandler({ added: look, updated: (_, after) => look(after) }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers: 1, reconcile: () => this.#reconcile(), signal, log });
  }

  #nodeChanged({ spec }: corev1.Node): void {
    // Only a taint makes a difference here, and most nodes have none.
    if ((spec?.taints ?? []).length > 0) this.#queue.addAfter(pass, settleMs);
  }

  async #reconcile(): Promise<ReconcileResult> {
    const all = this.#pods.list();
    const gone = new Set<string>();
    const nextMs = await this.#findGone(all, gone);
    const { ended, outOfService, orphaned, unscheduled } = collect({
      pods: all,
      node: (name) => this.#nodes.get(name),
      isGone: (name) => gone.has(name),
      endedMax: this.#limits.endedMax,
    });
    const nowMs = this.#context.clock.now();
    const orphans = new Set(orphaned);
    for (const pod of new Set([...ended, ...outOfService, ...unscheduled, ...orphaned])) {
      const disruption = orphans.has(pod) ? disruptionCondition(pod, orphanedDisruption, nowMs) : undefined;
      const isEnded = isPodTerminal(pod);
      // Nobody is there any more to say that it has ended.
      await disruptPod(this.#context.client, pod, {
        condition: isEnded ? undefined : disruption,
        ...(!isEnded && { more: { phase: "Failed" } }),
        graceS: 0,
      });
    }
    return nextMs === undefined ? undefined : { afterMs: nextMs };
  }

  /** Adds the nodes that have been missing for long; returns when to look at the others again. */
  async #findGone(all: readonly corev1.Pod[], gone: Set<string>): Promise<number | undefined> {
    const nowMs = this.#context.clock.monotonicMs();
    const missing = new Set<string>();
    for (const { spec } of all)
      if (spec!.nodeName && !this.#nodes.get(spec!.nodeName)) missing.add(spec!.nodeName);
    for (const name of this.#missingSinceMs.keys()) if (!missing.has(name)) this.#missingSinceMs.delete(name);
    let nextMs: number | undefined;
    for (const name of missing) {
      const sinceMs = this.#missingSinceMs.get(name) ?? nowMs;
      this.#missingSinceMs.set(name, sinceMs);
      const leftMs = sinceMs + this.#limits.quarantineMs - nowMs;
      if (leftMs > 0) nextMs = Math.min(nextMs ?? leftMs, leftMs);
      else if (await this.#isReallyGone(name)) gone.add(name);
    }
    return nextMs;
  }

  /** The copy may be behind. */
  async #isReallyGone(name: string): Promise<boolean> {
    try {
      await this.#context.client.resource(nodes).get(undefined, name);
      return false;
    } catch (error) {
      if (isStatus(error, "NotFound")) return true;
      throw error;
    }
  }
}
