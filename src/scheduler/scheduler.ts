import type { corev1 } from "../api/index.ts";
import type { Clock, Log } from "../base/index.ts";
import {
  type EventRecorder,
  type Informer,
  type InformerFactory,
  nodes,
  pods,
  type Transport,
} from "../client/index.ts";
import { formatTime, isStatus, keyOf } from "../machinery/index.ts";
import {
  addPod,
  type NodeInfo,
  newNodeInfo,
  removePod,
  type ScheduledPod,
  scheduledPodOf,
} from "./node-info.ts";
import { SchedulingQueue } from "./queue.ts";
import { schedule } from "./schedule.ts";

export interface SchedulerOptions {
  transport: Transport;
  informers: InformerFactory;
  recorder: EventRecorder;
  clock: Clock;
  log: Log;
  /** Pods that name another scheduler are left alone. */
  name?: string;
}

/** Bindings under way at once: each is a durable write, and they share one fsync. */
const bindingsMax = 64;

/**
 * Places pods on nodes, one decision at a time, each on what all earlier ones assumed. Counterpart upstream:
 * `pkg/scheduler`.
 *
 * - Event-driven: a pod that is added is placed in the same turn of the event loop.
 * - What is assumed (a pod whose binding is under way) counts at once, and is taken back when the binding fails.
 */
export class Scheduler {
  readonly #options: Required<SchedulerOptions>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #nodes: Informer<corev1.Node>;
  readonly #infos = new Map<string, NodeInfo>();
  /** Pods of nodes that are not known (yet), by node. */
  readonly #homeless = new Map<string, Map<string, ScheduledPod>>();
  readonly #queue: SchedulingQueue;
  #binding = 0;
  #scheduled = false;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = { name: "default-scheduler", ...options };
    this.#pods = options.informers.informer<corev1.Pod>(pods);
    this.#nodes = options.informers.informer<corev1.Node>(nodes);
    this.#queue = new SchedulingQueue({ clock: options.clock, onReady: () => this.#soon() });
  }

  /** Begins once the caches are in; ends with the signal. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#options.informers.start(signal);
    const stops = [
      this.#nodes.addHandler({
        added: (node) => this.#nodeChanged(node),
        updated: (before, after) => this.#nodeChanged(after, before),
        deleted: (node) => this.#nodeGone(node),
      }),
      this.#pods.addHandler({
        added: (pod) => this.#podChanged(pod),
        updated: (before, after) => this.#podChanged(after, before),
        deleted: (pod) => this.#podGone(pod),
      }),
    ];
    signal.addEventListener("abort", () => {
      this.#stopped = true;
      for (const stop of stops) stop();
    });
  }

  #nodeChanged(node: corev1.Node, before?: corev1.Node): void {
    const name = node.metadata.name!;
    const old = this.#infos.get(name);
    if (before && old && !matters(before, node)) {
      old.node = node;
      return;
    }
    const info = newNodeInfo(node);
    for (const pod of (old?.pods ?? this.#homeless.get(name) ?? new Map<string, ScheduledPod>()).values()) {
      addPod(info, pod);
    }
    this.#homeless.delete(name);
    this.#infos.set(name, info);
    this.#queue.wake();
  }

  #nodeGone(node: corev1.Node): void {
    const info = this.#infos.get(node.metadata.name!);
    if (info && info.pods.size > 0) this.#homeless.set(node.metadata.name!, info.pods);
    this.#infos.delete(node.metadata.name!);
  }

  #podChanged(pod: corev1.Pod, before?: corev1.Pod): void {
    const key = keyOf(pod);
    const finished = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    if (pod.spec!.nodeName) {
      this.#queue.remove(key);
      if (finished) this.#release(key, pod.spec!.nodeName);
      else if (!before?.spec?.nodeName || before.spec !== pod.spec) this.#place(pod, pod.spec!.nodeName);
      return;
    }
    if (finished || pod.metadata.deletionTimestamp || !this.#isOurs(pod)) {
      this.#queue.remove(key);
      return;
    }
    // Its own status is what the scheduler wrote; only a new pod or a changed spec is worth another look.
    if (before && before.metadata.generation === pod.metadata.generation && !labelsChanged(before, pod))
      return;
    this.#queue.add(key, pod.spec!.priority ?? 0);
  }

  #podGone(pod: corev1.Pod): void {
    this.#queue.remove(keyOf(pod));
    if (pod.spec!.nodeName) this.#release(keyOf(pod), pod.spec!.nodeName);
  }

  #isOurs(pod: corev1.Pod): boolean {
    const gates = pod.spec!.schedulingGates ?? [];
    return (pod.spec!.schedulerName ?? this.#options.name) === this.#options.name && gates.length === 0;
  }

  #place(pod: corev1.Pod, nodeName: string): void {
    const placed = scheduledPodOf(pod);
    const info = this.#infos.get(nodeName);
    if (info) {
      addPod(info, placed);
      return;
    }
    const waiting = this.#homeless.get(nodeName) ?? new Map<string, ScheduledPod>();
    waiting.set(placed.key, placed);
    this.#homeless.set(nodeName, waiting);
  }

  #release(key: string, nodeName: string): void {
    this.#homeless.get(nodeName)?.delete(key);
    const info = this.#infos.get(nodeName);
    if (!info?.pods.has(key)) return;
    removePod(info, key);
    this.#queue.wake();
  }

  #soon(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#drain();
    });
  }

  #drain(): void {
    while (this.#binding < bindingsMax && !this.#stopped) {
      const key = this.#queue.pop();
      if (key === undefined) return;
      const pod = this.#pods.get(key);
      if (!pod || pod.spec!.nodeName || pod.metadata.deletionTimestamp) continue;
      const placement = schedule(pod, [...this.#infos.values()]);
      this.#binding++;
      const work =
        "node" in placement ? this.#bind(pod, placement.node) : this.#refuse(pod, placement.unschedulable);
      void work
        .catch((error: Error) => this.#options.log.warn({ pod: key, err: error }, "scheduling failed"))
        .finally(() => {
          this.#binding--;
          this.#soon();
        });
    }
  }

  async #bind(pod: corev1.Pod, nodeName: string): Promise<void> {
    const { namespace, name, uid } = pod.metadata;
    const key = keyOf(pod);
    this.#place(pod, nodeName);
    // Before what the node does with it, wherever events are shown in their order.
    const atMs = this.#options.clock.now();
    try {
      await this.#options.transport.request({
        verb: "create",
        resource: pods,
        subresource: "binding",
        namespace,
        name,
        body: {
          apiVersion: "v1",
          kind: "Binding",
          metadata: { name, namespace, uid },
          target: { apiVersion: "v1", kind: "Node", name: nodeName },
        },
      });
    } catch (error) {
      this.#release(key, nodeName);
      if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return;
      this.#queue.park(key, pod.spec!.priority ?? 0, this.#queue.attemptsOf(key) + 1);
      this.#queue.wake();
      throw error;
    }
    this.#options.recorder.event(
      pod,
      "Normal",
      "Scheduled",
      `Successfully assigned ${key} to ${nodeName}`,
      "Binding",
      atMs,
    );
  }

  async #refuse(pod: corev1.Pod, message: string): Promise<void> {
    const key = keyOf(pod);
    this.#queue.park(key, pod.spec!.priority ?? 0, this.#queue.attemptsOf(key) + 1);
    this.#options.recorder.event(pod, "Warning", "FailedScheduling", message, "Scheduling");
    const known = pod.status?.conditions?.find((c) => c.type === "PodScheduled");
    if (known?.status === "False" && known.message === message) return;
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      observedGeneration: pod.metadata.generation,
      lastTransitionTime:
        known?.status === "False" ? known.lastTransitionTime : formatTime(this.#options.clock.now()),
    };
    try {
      await this.#options.transport.request({
        verb: "patch",
        resource: pods,
        subresource: "status",
        namespace: pod.metadata.namespace,
        name: pod.metadata.name,
        patch: {
          type: "strategic",
          body: { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } },
        },
      });
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
      this.#queue.remove(key);
    }
  }
}

/** Heartbeats come every few seconds; only these can make room for a pod. */
function matters(before: corev1.Node, after: corev1.Node): boolean {
  return (
    JSON.stringify([before.spec, before.metadata.labels, before.status?.allocatable]) !==
    JSON.stringify([after.spec, after.metadata.labels, after.status?.allocatable])
  );
}

function labelsChanged(before: corev1.Pod, after: corev1.Pod): boolean {
  return JSON.stringify(before.metadata.labels) !== JSON.stringify(after.metadata.labels);
}
