import { claimsOfPod, type corev1, isPodTerminal } from "../api/index.ts";
import { type Clock, createLifetime, type Log } from "../base/index.ts";
import {
  type EventRecorder,
  type Informer,
  type InformerFactory,
  nodes,
  pods,
  type Transport,
} from "../client/index.ts";
import { isStatus, keyOf } from "../machinery/index.ts";
import { ClusterState } from "./cluster-state.ts";
import { type ClusterChange, filters } from "./filter/index.ts";
import type { ScheduledPod } from "./node-info.ts";
import { bindPod, nominateNode, preemptPod, writeNotScheduled } from "./pod-writes.ts";
import { planPreemption } from "./preemption/plan-preemption.ts";
import { SchedulingQueue } from "./queue.ts";
import { type Cycle, type Placement, schedule, startCycle } from "./schedule.ts";
import type { VolumeBinding } from "./volumes/cluster-volumes.ts";
import { planVolumes } from "./volumes/plan-volumes.ts";
import { claimsToPlace } from "./volumes/pod-claims.ts";

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
  readonly #state: ClusterState;
  readonly #queue: SchedulingQueue;
  /** Pods whose volumes are being bound. */
  readonly #waiting = new Map<string, AbortController>();
  #binding = 0;
  #scheduled = false;
  #stopped = false;

  constructor(options: SchedulerOptions) {
    this.#options = { name: "default-scheduler", ...options };
    this.#pods = options.informers.informer<corev1.Pod>(pods);
    this.#nodes = options.informers.informer<corev1.Node>(nodes);
    this.#state = new ClusterState(options.informers);
    this.#queue = new SchedulingQueue({ clock: options.clock, onReady: () => this.#soon() });
  }

  /** Begins once the caches are in; ends with the signal. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#options.informers.start(signal);
    // All that is there counts before the first decision, in whatever order it is told of below.
    for (const node of this.#nodes.list()) this.#state.nodeChanged(node);
    for (const pod of this.#pods.list())
      if (pod.spec!.nodeName && !isPodTerminal(pod)) this.#state.place(pod, pod.spec!.nodeName);
    const nodeChanged = (node: corev1.Node) => {
      if (this.#state.nodeChanged(node)) this.#queue.wake("node");
    };
    this.#state.volumes.start(signal);
    const namespaceChanged = () => this.#queue.wake("namespace");
    const stops = [
      this.#nodes.addHandler({
        added: nodeChanged,
        updated: (_, after) => nodeChanged(after),
        deleted: (node) => {
          this.#state.nodeGone(node.metadata.name!);
          this.#queue.wake("node");
        },
      }),
      this.#state.volumes.onChange(() => this.#queue.wake("volume")),
      this.#state.namespaces.addHandler({ added: namespaceChanged, updated: namespaceChanged }),
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

  #podChanged(pod: corev1.Pod, before?: corev1.Pod): void {
    const key = keyOf(pod);
    if (pod.spec!.nodeName) {
      this.#queue.remove(key);
      this.#state.forgetNomination(key);
      if (isPodTerminal(pod)) this.#release(key, pod.spec!.nodeName);
      else this.#placed(pod, before);
      return;
    }
    if (isPodTerminal(pod) || pod.metadata.deletionTimestamp || !this.#isOurs(pod)) {
      this.#forgetVolumes(key);
      this.#queue.remove(key);
      this.#state.forgetNomination(key);
      return;
    }
    // It has its place already.
    if (this.#waiting.has(key)) return;
    if (pod.status?.nominatedNodeName) this.#state.nominate(pod, pod.status.nominatedNodeName);
    else if (before?.status?.nominatedNodeName) this.#state.forgetNomination(key);
    // Its own status is what the scheduler wrote; only a new pod or a changed spec is worth another look.
    if (before && before.metadata.generation === pod.metadata.generation && !labelsChanged(before, pod))
      return;
    this.#queue.add(key, pod.spec!.priority ?? 0);
  }

  #placed(pod: corev1.Pod, before: corev1.Pod | undefined): void {
    if (this.#state.place(pod, pod.spec!.nodeName!)) this.#queue.wake("pod-gone");
    if (!before?.spec?.nodeName) {
      this.#queue.wake("pod-placed");
      return;
    }
    if (labelsChanged(before, pod)) this.#queue.wake("pod-placed");
    if (before.metadata.deletionTimestamp !== pod.metadata.deletionTimestamp) this.#queue.wake("pod-going");
  }

  #podGone(pod: corev1.Pod): void {
    const key = keyOf(pod);
    this.#forgetVolumes(key);
    this.#queue.remove(key);
    this.#state.forgetNomination(key);
    if (pod.spec!.nodeName) this.#release(key, pod.spec!.nodeName);
  }

  #forgetVolumes(key: string): void {
    this.#waiting.get(key)?.abort(new Error("pod does not exist any more"));
    this.#waiting.delete(key);
  }

  #isOurs(pod: corev1.Pod): boolean {
    const gates = pod.spec!.schedulingGates ?? [];
    return (pod.spec!.schedulerName ?? this.#options.name) === this.#options.name && gates.length === 0;
  }

  #release(key: string, nodeName: string): void {
    if (this.#state.release(key, nodeName)) this.#queue.wake("pod-gone");
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
      try {
        this.#decide(key, pod);
      } catch (error) {
        this.#stumbled(key, pod, error as Error);
      }
    }
  }

  #decide(key: string, pod: corev1.Pod): void {
    const cycle = startCycle(pod, this.#state);
    const placement = schedule(cycle);
    if ("unschedulable" in placement) {
      const { refusals } = placement;
      const preemption = refusals.size > 0 ? planPreemption(cycle, refusals) : undefined;
      this.#write(key, this.#refuse(cycle, placement, preemption));
      return;
    }
    const binding = bindingOf(cycle, placement.node);
    if (binding) void this.#bindVolumes(pod, binding);
    else this.#write(key, this.#bind(pod, placement.node));
  }

  /** An object that no decision was written for holds up those that meet it, and says so; nobody else. */
  #stumbled(key: string, pod: corev1.Pod, error: Error): void {
    this.#options.log.error({ pod: key, err: error }, "a decision failed");
    this.#queue.park(key, pod.spec!.priority ?? 0, { wakesOn: "time", backoff: "growing" });
    this.#write(key, this.#tellFailure(pod, `internal error: ${error.message}`));
  }

  /** A write takes one of the places that there are. */
  #write(key: string, work: Promise<void>): void {
    this.#binding++;
    void work
      .catch((error: Error) => this.#options.log.warn({ pod: key, err: error }, "scheduling failed"))
      .finally(() => {
        this.#binding--;
        this.#soon();
      });
  }

  /** The pod has its node in thought; it is bound when its volumes are, however long that takes. */
  async #bindVolumes(pod: corev1.Pod, binding: VolumeBinding): Promise<void> {
    const { clock, transport } = this.#options;
    const { volumes } = this.#state;
    const key = keyOf(pod);
    const waiting = createLifetime();
    this.#waiting.get(key)?.abort(new Error("the pod was placed again"));
    this.#waiting.set(key, waiting);
    this.#assume(pod, binding.node);
    volumes.assume(binding);
    try {
      await Promise.all([this.#announce(pod, binding.node), volumes.write(transport, binding)]);
      await volumes.untilBound(binding, clock, waiting.signal);
    } catch (error) {
      volumes.takeBack(binding);
      this.#release(key, binding.node);
      const isPreempted = waiting.signal.reason instanceof Preempted;
      if (waiting.signal.aborted && !isPreempted) return;
      this.#waiting.delete(key);
      const isOutdated = isStatus(error, "Conflict");
      const wakesOn = isOutdated || isPreempted ? "time" : new Set<ClusterChange>(["node", "volume"]);
      this.#queue.park(key, pod.spec!.priority ?? 0, { wakesOn, backoff: "growing" });
      const message = `running PreBind plugin "VolumeBinding": binding volumes: ${(error as Error).message}`;
      if (!isOutdated) this.#write(key, this.#tellFailure(pod, message));
      return;
    }
    this.#waiting.delete(key);
    this.#write(key, this.#bind(pod, binding.node));
  }

  /** Others see where the pod is to run, as its volumes may take a while. As `NominatedNodeNameForExpectation`. */
  async #announce(pod: corev1.Pod, nodeName: string): Promise<void> {
    try {
      await nominateNode(this.#options.transport, pod, nodeName);
    } catch (error) {
      this.#options.log.debug({ pod: keyOf(pod), err: error }, "cannot say which node the pod is to run on");
    }
  }

  /** It counts on the node from now on, and no more as one that waits for room there. */
  #assume(pod: corev1.Pod, nodeName: string): void {
    this.#state.place(pod, nodeName);
    this.#state.forgetNomination(keyOf(pod));
  }

  async #bind(pod: corev1.Pod, nodeName: string): Promise<void> {
    const key = keyOf(pod);
    const { clock, recorder, transport } = this.#options;
    this.#assume(pod, nodeName);
    // Before what the node does with it, wherever events are shown in their order.
    const atMs = clock.now();
    try {
      await bindPod(transport, pod, nodeName);
    } catch (error) {
      this.#release(key, nodeName);
      if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return;
      this.#queue.park(key, pod.spec!.priority ?? 0, { wakesOn: "time", backoff: "growing" });
      await this.#tellFailure(pod, `running Bind plugin "DefaultBinder": ${(error as Error).message}`);
      return;
    }
    const message = `Successfully assigned ${key} to ${nodeName}`;
    recorder.event(pod, "Normal", "Scheduled", message, "Binding", atMs);
  }

  /** The pod had a node, and has it no more. As `handleBindingCycleError`. */
  async #tellFailure(pod: corev1.Pod, message: string): Promise<void> {
    const { clock, recorder, transport } = this.#options;
    recorder.event(pod, "Warning", "FailedScheduling", message, "Scheduling");
    // As it is now: it may have been told which node it was to run on.
    const now = this.#pods.get(keyOf(pod)) ?? pod;
    try {
      await writeNotScheduled(
        transport,
        now,
        { reason: "SchedulerError", message, nominatedNodeName: null },
        clock.now(),
      );
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
    }
  }

  /** Nothing fits: others may have to go; in any case the pod waits, and says what for. */
  async #refuse(
    cycle: Cycle,
    { unschedulable, refusals }: Extract<Placement, { unschedulable: string }>,
    preemption: ReturnType<typeof planPreemption> | undefined,
  ): Promise<void> {
    const { pod, key, priority } = cycle.pending;
    const { clock, recorder, transport } = this.#options;
    const wakesOn = new Set<ClusterChange>(["node"]);
    for (const { by } of refusals.values()) for (const change of wakesOnOf(by)) wakesOn.add(change);
    const preempts = preemption?.do === "preempt";
    this.#queue.park(key, priority, { wakesOn, backoff: preempts ? "none" : "when busy" });
    const message =
      preemption?.do === "nothing" ? `${unschedulable} preemption: ${preemption.message}` : unschedulable;
    recorder.event(pod, "Warning", "FailedScheduling", message, "Scheduling");
    let nominatedNodeName: string | null | undefined;
    if (preempts) {
      nominatedNodeName = preemption.node;
      this.#state.nominate(pod, preemption.node);
    } else if (preemption?.do === "nothing" && preemption.nomination === "forget") {
      nominatedNodeName = null;
      this.#state.forgetNomination(key);
    }
    try {
      await writeNotScheduled(
        transport,
        pod,
        { reason: "Unschedulable", message, nominatedNodeName },
        clock.now(),
      );
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
      this.#queue.remove(key);
      this.#state.forgetNomination(key);
      return;
    }
    if (preempts) await this.#preempt(cycle, preemption.node, preemption.victims);
  }

  async #preempt({ pending }: Cycle, node: string, victims: readonly ScheduledPod[]): Promise<void> {
    const { clock, name, recorder, transport } = this.#options;
    const displaced = this.#state.nominatedOn(node).filter(({ priority }) => priority < pending.priority);
    await Promise.all([
      ...displaced.map(async ({ key, pod, priority }) => {
        // They look for another place, sooner than this one is free.
        this.#state.forgetNomination(key);
        this.#queue.add(key, priority);
        await nominateNode(transport, pod, null);
      }),
      ...victims.map(async ({ key, pod }) => {
        if (pod.metadata.deletionTimestamp) return;
        const waiting = this.#waiting.get(key);
        // One that is not bound yet just looks for another place.
        if (waiting) waiting.abort(new Preempted());
        else if (!(await preemptPod(transport, pod, name, clock.now()))) return;
        const message = `Preempted by pod ${pending.pod.metadata.uid} on node ${node}`;
        recorder.event(pod, "Normal", "Preempted", message, "Preempting");
      }),
    ]);
  }
}

class Preempted extends Error {
  constructor() {
    super("preempted by DefaultPreemption");
  }
}

/** What is to be done for the pod's claims on the node; undefined where that is nothing. */
function bindingOf({ pending, view }: Cycle, nodeName: string): VolumeBinding | undefined {
  if (claimsOfPod(pending.pod).length === 0) return undefined;
  const claims = claimsToPlace(pending.pod, view.volumes);
  const info = view.nodes.find(({ node }) => node.metadata.name === nodeName);
  if ("missing" in claims || claims.waiting.length === 0 || !info) return undefined;
  const plan = planVolumes(claims, info.node, view.volumes);
  return "reasons" in plan ? undefined : { ...plan, node: nodeName };
}

const wakesOnOf = (filter: string): readonly ClusterChange[] =>
  filters.find(({ name }) => name === filter)?.wakesOn ?? [];

function labelsChanged(before: corev1.Pod, after: corev1.Pod): boolean {
  return JSON.stringify(before.metadata.labels) !== JSON.stringify(after.metadata.labels);
}
