import { type corev1, podRequestAmounts, qosClassOf } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { parseTime } from "../../machinery/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import { admit } from "../admission/admit.ts";
import { type EventSink, podTarget } from "../events.ts";
import type { Actuated } from "./actuated.ts";
import { allocationOf, type PodAllocation, sameAllocation, withAllocation } from "./allocation.ts";
import {
  conditionsIn,
  listed,
  type ResizeConditions,
  withInProgress,
  withoutInProgress,
  withoutPending,
  withPending,
} from "./conditions.ts";
import { resizeMessage } from "./message.ts";
import type { ResizeFiles, ResizeState } from "./resize-file.ts";

export interface ResizesOptions {
  clock: Clock;
  log: Log;
  events: EventSink;
  files: ResizeFiles;
  node(): corev1.Node;
  /** The pods that have room here, as they were given it. */
  activePods(exceptUid: string): readonly corev1.Pod[];
  /** A pod was given something, or it is told something new of its resize. */
  changed(podUid: string): void;
}

interface Entry {
  /** As the API has it: what is wanted. */
  pod: corev1.Pod;
  state: ResizeState;
  conditions: ResizeConditions;
}

/**
 * What the node has given to each of its pods, and who waits for more.
 *
 * - What a pod was given is on the disk before anything is done by it; a new agent goes on from there.
 * - Who waits is looked at again with everything that may have made room: nothing polls.
 *
 * Counterpart upstream: `pkg/kubelet/allocation`.
 */
export class Resizes {
  readonly #options: ResizesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #pending = new Set<string>();

  constructor(options: ResizesOptions) {
    this.#options = options;
  }

  /** A pod that is here, or was admitted; `found`: what its sandbox says it was given. Waiting begins with {@link retry}. */
  add(pod: corev1.Pod, found: PodAllocation | undefined): void {
    const uid = pod.metadata.uid!;
    const state = this.#options.files.load(uid) ?? { allocation: found ?? allocationOf(pod), containers: {} };
    this.#entries.set(uid, { pod, state, conditions: conditionsIn(pod.status) });
    if (!sameAllocation(state.allocation, allocationOf(pod))) this.#pending.add(uid);
  }

  update(pod: corev1.Pod): void {
    const uid = pod.metadata.uid!;
    const entry = this.#entries.get(uid);
    if (!entry) return;
    const isAnother = !sameAllocation(allocationOf(entry.pod), allocationOf(pod));
    entry.pod = pod;
    if (!isAnother) return;
    if (sameAllocation(entry.state.allocation, allocationOf(pod))) {
      // What waited was taken back.
      this.#pending.delete(uid);
      entry.conditions = withoutPending(entry.conditions);
      return;
    }
    this.#pending.add(uid);
    this.retry();
  }

  remove(podUid: string): void {
    this.#entries.delete(podUid);
    this.#pending.delete(podUid);
  }

  /** The pod as it runs. */
  allocated(pod: corev1.Pod): corev1.Pod {
    const entry = this.#entries.get(pod.metadata.uid!);
    return entry ? withAllocation(pod, entry.state.allocation) : pod;
  }

  /** Room may have been made: everyone who waits is looked at, in turn, until nobody gets any more. */
  retry(): void {
    let isAnyoneGiven = true;
    while (isAnyoneGiven && this.#pending.size > 0) {
      isAnyoneGiven = false;
      for (const entry of this.#inOrder()) if (this.#decide(entry)) isAnyoneGiven = true;
    }
  }

  conditions(podUid: string): readonly corev1.PodCondition[] {
    return listed(this.#entries.get(podUid)?.conditions ?? {});
  }

  /** What a container has, where it is not what it was made with. */
  actuated(podUid: string, containerId: string): Actuated | undefined {
    return this.#entries.get(podUid)?.state.containers[containerId];
  }

  podCgroup(podUid: string): LinuxResources | undefined {
    return this.#entries.get(podUid)?.state.podCgroup;
  }

  /** Keeps what has come into force; of containers only those that are still there. */
  record(
    podUid: string,
    change: { podCgroup?: LinuxResources; containers: Readonly<Record<string, Actuated>> },
    known: ReadonlySet<string>,
  ): void {
    const entry = this.#entries.get(podUid);
    if (!entry) return;
    const containers = Object.entries({ ...entry.state.containers, ...change.containers });
    entry.state = {
      ...entry.state,
      ...(change.podCgroup && { podCgroup: change.podCgroup }),
      containers: Object.fromEntries(containers.filter(([id]) => known.has(id))),
    };
    this.#save(podUid, entry.state);
  }

  /** The worker has looked: whether something that runs does not have yet what its pod was given. */
  saw(pod: corev1.Pod, progress: "underway" | "done"): void {
    const entry = this.#entries.get(pod.metadata.uid!);
    if (!entry) return;
    const generation = pod.metadata.generation ?? 0;
    if (progress === "underway") {
      entry.conditions = withInProgress(
        entry.conditions,
        { generation },
        this.#options.clock.now(),
      ).conditions;
      return;
    }
    const { inProgress } = entry.conditions;
    if (!inProgress) return;
    entry.conditions = withoutInProgress(entry.conditions);
    const of = inProgress.observedGeneration ?? generation;
    this.#tell(pod, "Normal", "ResizeCompleted", resizeMessage("Pod resize completed", pod, of));
  }

  failed(pod: corev1.Pod, error: string): void {
    const entry = this.#entries.get(pod.metadata.uid!);
    if (!entry) return;
    const generation = pod.metadata.generation ?? 0;
    const { conditions, isNews } = withInProgress(
      entry.conditions,
      { error, generation },
      this.#options.clock.now(),
    );
    entry.conditions = conditions;
    const of = conditions.inProgress!.observedGeneration ?? generation;
    if (isNews) this.#tell(pod, "Warning", "ResizeError", resizeMessage("Pod resize error", pod, of, error));
  }

  /** Returns whether the pod was given what it waited for. */
  #decide(entry: Entry): boolean {
    const { activePods, clock, changed, node } = this.#options;
    const { pod } = entry;
    const uid = pod.metadata.uid!;
    const generation = pod.metadata.generation ?? 0;
    const refusal = admit(pod, activePods(uid), node());
    if (refusal) {
      const { conditions, isNews } = withPending(
        entry.conditions,
        { message: refusal.message, generation },
        clock.now(),
      );
      entry.conditions = conditions;
      if (!isNews) return false;
      const message = resizeMessage(`Pod resize ${refusal.reason}`, pod, generation, refusal.message);
      this.#tell(pod, "Warning", "ResizeDeferred", message);
      changed(uid);
      return false;
    }
    const state = { ...entry.state, allocation: allocationOf(pod) };
    if (!this.#save(uid, state)) return false;
    entry.state = state;
    this.#pending.delete(uid);
    // An error of an earlier resize goes, and the generation is that of this one.
    const before = withoutInProgress(withoutPending(entry.conditions));
    entry.conditions = withInProgress(before, { generation }, clock.now()).conditions;
    this.#tell(pod, "Normal", "ResizeStarted", resizeMessage("Pod resize started", pod, generation));
    changed(uid);
    return true;
  }

  #save(uid: string, state: ResizeState): boolean {
    try {
      this.#options.files.save(uid, state);
      return true;
    } catch (error) {
      this.#options.log.error({ podUid: uid, error }, "what a pod was given cannot be kept");
      return false;
    }
  }

  #tell(pod: corev1.Pod, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#options.events.event(podTarget(pod), type, reason, message);
  }

  /**
   * As sortPendingResizes: who asks for no more than it has, then by priority, then Guaranteed pods, then who has waited
   * longest.
   */
  #inOrder(): Entry[] {
    const entries = [...this.#pending].map((uid) => this.#entries.get(uid)!);
    const rank = (entry: Entry) => [
      isIncrease(entry) ? 1 : 0,
      -(entry.pod.spec!.priority ?? 0),
      qosClassOf(entry.pod) === "Guaranteed" ? 0 : 1,
      waitingSinceMs(entry),
    ];
    return entries
      .map((entry) => ({ entry, rank: rank(entry) }))
      .sort((a, b) => a.rank.map((value, i) => value - b.rank[i]!).find((order) => order !== 0) ?? 0)
      .map(({ entry }) => entry);
  }
}

function isIncrease({ pod, state }: Entry): boolean {
  const has = podRequestAmounts(withAllocation(pod, state.allocation).spec!);
  const wants = podRequestAmounts(pod.spec!);
  return (["cpu", "memory"] as const).some((name) => {
    const wanted = wants[name];
    return wanted !== undefined && (has[name] ? wanted.compare(has[name]) > 0 : wanted.sign > 0);
  });
}

/** One that has not been looked at yet comes last. */
function waitingSinceMs({ conditions }: Entry): number {
  const since = conditions.pending?.lastTransitionTime;
  return (since && parseTime(since)) || Number.MAX_SAFE_INTEGER;
}
