import { setImmediate } from "node:timers/promises";
import type { corev1 } from "../../api/index.ts";
import type { Timer } from "../../base/index.ts";
import { parseTime } from "../../machinery/index.ts";
import { observedContainer, observedSandbox } from "../container/labels.ts";
import { podTarget } from "../events.ts";
import { hurried } from "../plan/kill.ts";
import type {
  ObservedContainer,
  ObservedSandbox,
  PodObservation,
  ProbeVerdict,
} from "../plan/observation.ts";
import { isTerminating, planPod } from "../plan/plan-pod.ts";
import { isResizeUnderway } from "../plan/resize.ts";
import { nextAttempts } from "../plan/restart.ts";
import { keyOfStep, type Step } from "../plan/step.ts";
import { formatPod } from "../status/container-statuses.ts";
import { type PodVerdict, podStatus } from "../status/pod-status.ts";
import { ContainerKills } from "./container-kills.ts";
import { ContainerStarts } from "./container-starts.ts";
import { PodEnvironment } from "./pod-environment.ts";
import { removePod } from "./pod-removal.ts";
import { PodResizer } from "./pod-resizer.ts";
import type { PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

/** As kubelet's pod worker: about this long after a failure that nothing else will heal. */
const passRetryMs = 10_000;
/** An engine that takes longer to start a container does not keep the pod's status back any more. */
const statusHeldMsMax = 100;

/** Whether the pod's object is still with the API. */
type ApiObject = "present" | "gone";

export interface PodGiven {
  sandboxIds: readonly string[];
  object: ApiObject;
  onDone(worker: PodWorker): void;
  /** Asked at the pod's end: whether the same pod is to run again, with what is left of it. Never, if absent. */
  isWantedAgain?(): boolean;
}

/**
 * Brings one pod to what its object asks for, and its object's status to what is.
 *
 * - Level-triggered: every wake observes, plans and performs anew; what it remembers can be lost.
 * - Steps run at the same time unless the plan orders them; the same step never twice at once.
 * - Ending the worker leaves the pod's containers as they are.
 */
export class PodWorker {
  readonly uid: string;
  readonly #services: PodServices;
  readonly #given: PodGiven;
  #pod: corev1.Pod;
  #object: ApiObject;
  #verdict: PodVerdict | undefined;
  #status: corev1.PodStatus;
  readonly #startTimeMs: number;

  readonly #environment: PodEnvironment;
  #heldSinceMs: number | undefined;
  #hold: Timer | undefined;
  readonly #toldBackoff = new Set<string>();
  readonly #underway = new Map<string, Promise<void>>();
  #observed: PodObservation | undefined;

  #timer: Timer | undefined;
  #isDirty = false;
  #loop: Promise<void> | undefined;
  #mode: "working" | "finishing" | "stopped" = "working";
  #onReleased: () => void = () => {};
  /** Resolves once the pod has ended and nothing of it holds the node's resources. */
  readonly released = new Promise<void>((resolve) => {
    this.#onReleased = resolve;
  });
  /** Aborted once the pod is to end: starting, pulling and mounting stop. */
  readonly #running = new AbortController();
  readonly #starts: ContainerStarts;
  readonly #kills: ContainerKills;
  readonly #resizer: PodResizer;

  constructor(services: PodServices, pod: corev1.Pod, given: PodGiven) {
    this.uid = pod.metadata.uid!;
    this.#services = services;
    this.#pod = pod;
    this.#object = given.object;
    this.#given = given;
    this.#status = pod.status ?? {};
    const seen = { pod: () => this.#pod, observed: () => this.#observed, podIp: () => this.#podIp() };
    this.#kills = new ContainerKills(services, seen);
    this.#resizer = new PodResizer(services, seen);
    this.#starts = new ContainerStarts(services, {
      ...seen,
      volumes: () => this.#environment.volumes ?? new Map(),
      signal: this.#running.signal,
      wake: () => this.wake(),
      kill: (step) => this.#kills.kill(step),
    });
    const known = this.#status.startTime ? parseTime(this.#status.startTime) : undefined;
    this.#startTimeMs = known ?? services.clock.now();
    this.#environment = new PodEnvironment(services, this.uid, given.sandboxIds);
  }

  get pod(): corev1.Pod {
    return this.#pod;
  }

  /** What was last seen of the pod; undefined before the first look. */
  get observed(): PodObservation | undefined {
    return this.#observed;
  }

  /** The status as it is here, which may be ahead of the API's. */
  get status(): corev1.PodStatus {
    return this.#status;
  }

  get sandboxIds(): readonly string[] {
    return this.#environment.sandboxIds;
  }

  /** Whether it is decided that nothing of the pod is to run any more, also where its status does not show it yet. */
  get isEnding(): boolean {
    return isTerminating(this.#pod, { phase: this.#phase() });
  }

  /** Its phase is final, and shown to be. */
  get isOver(): boolean {
    return this.#status.phase === "Succeeded" || this.#status.phase === "Failed";
  }

  /** Whether the API still knows of it. */
  get hasObject(): boolean {
    return this.#object === "present";
  }

  owns(sandboxId: string): boolean {
    return this.#environment.sandboxIds.includes(sandboxId);
  }

  /** The pod's object has changed. */
  update(pod: corev1.Pod): void {
    this.#pod = hurried(pod, this.#verdict?.graceS);
    this.#services.volumes.podChanged(pod);
    this.#endIfTerminating();
    this.wake();
  }

  /** The pod's object is gone: what is left of it here goes too. */
  objectGone(last: corev1.Pod): void {
    this.#object = "gone";
    const now = new Date(this.#services.clock.now()).toISOString();
    this.#pod = {
      ...last,
      metadata: { ...last.metadata, deletionTimestamp: last.metadata.deletionTimestamp ?? now },
    };
    this.#endIfTerminating();
    this.wake();
  }

  /** The pod is not to run (any more), for a reason its containers do not show. */
  fail(verdict: PodVerdict): void {
    this.#verdict = verdict;
    this.#pod = hurried(this.#pod, verdict.graceS);
    this.#endIfTerminating();
    this.wake();
  }

  /** Something may have changed. */
  wake(): void {
    this.#isDirty = true;
    if (this.#loop || this.#mode !== "working") return;
    this.#loop = this.#work().finally(() => {
      this.#loop = undefined;
      if (this.#isDirty && this.#mode === "working") this.wake();
    });
  }

  /** Ends the worker, not the pod. */
  async stop(): Promise<void> {
    this.#mode = "stopped";
    this.#timer?.cancel();
    this.#hold?.cancel();
    this.#running.abort(new Error("the agent is stopping"));
    this.#kills.stop();
    await this.#loop;
  }

  async #work(): Promise<void> {
    while (this.#isDirty && this.#mode === "working") {
      this.#isDirty = false;
      try {
        await this.#pass();
      } catch (error) {
        this.#services.log.error(
          { pod: formatPod(this.#pod), error },
          "pod worker failed; it will look again",
        );
        this.#wakeAfter(passRetryMs);
        return;
      }
      // What happens in one turn is looked at once; and no pod takes the turns of others.
      await setImmediate();
    }
  }

  async #pass(): Promise<void> {
    const { clock, statuses } = this.#services;
    const observed = await this.#observe();
    if (this.#mode !== "working") return;
    this.#observed = observed;
    this.#kills.lookedAgain();
    const { resizes } = this.#services;
    resizes.saw(this.#pod, isResizeUnderway(this.#pod, observed) ? "underway" : "done");

    const nowMs = clock.now();
    const steps = planPod(this.#pod, observed, nowMs);
    this.#perform(steps, observed, nowMs);
    this.#status = podStatus(
      this.#pod,
      {
        ...observed,
        underway: new Set(this.#underway.keys()),
        resizeConditions: resizes.conditions(this.uid),
      },
      this.#status,
      { hostIps: this.#services.hostIps() },
      nowMs,
      this.#verdict,
    );
    if (this.#object === "present" && !this.#isHeldBack(nowMs)) statuses.set(this.#pod, this.#status);
    // The status may have made the phase final, which plans differently.
    if (this.#phase() !== observed.phase) this.#isDirty = true;
    this.#endIfTerminating();
    if (this.isEnding && steps.length === 0 && this.#underway.size === 0) this.#onReleased();
  }

  /**
   * Containers that are being created will run in a moment: what is shown of the pod until then goes with that, and
   * spares the API a write a container.
   */
  #isHeldBack(nowMs: number): boolean {
    if (!this.#starts.isCreating() || this.#status.startTime === undefined || this.#running.signal.aborted) {
      this.#heldSinceMs = undefined;
      return false;
    }
    this.#heldSinceMs ??= nowMs;
    const leftMs = this.#heldSinceMs + statusHeldMsMax - nowMs;
    if (leftMs <= 0) return false;
    this.#hold?.cancel();
    this.#hold = this.#services.clock.after(leftMs, () => this.wake());
    return true;
  }

  #phase(): string {
    return this.#verdict?.phase ?? this.#status.phase ?? "Pending";
  }

  #podIp(): string | undefined {
    const ip = this.#observed?.sandboxes.find(({ state }) => state === "ready")?.ips[0];
    return ip ?? (this.#pod.spec!.hostNetwork ? this.#services.hostIps()[0] : undefined);
  }

  #endIfTerminating(): void {
    if (!isTerminating(this.#pod, { phase: this.#phase() })) return;
    if (!this.#running.signal.aborted) this.#running.abort(new Error("the pod is terminating"));
    this.#kills.shorten();
  }

  async #observe(): Promise<PodObservation> {
    const { messages, runtime } = this.#services;
    // Before the look: a step that ends meanwhile is not planned again by what was seen before its end.
    const underway = new Set(this.#underway.keys());
    const sandboxIds = [...this.#environment.sandboxIds];
    const found = await Promise.all(sandboxIds.map((id) => runtime.podSandboxStatus(id)));
    const lists = await Promise.all(sandboxIds.map((sandboxId) => runtime.listContainers({ sandboxId })));
    const sandboxes: ObservedSandbox[] = found.filter((status) => status !== undefined).map(observedSandbox);
    this.#environment.forgetSandboxes(sandboxIds.filter((_, i) => found[i] === undefined));
    const statuses = lists.flat();
    const explained = await Promise.all(statuses.map((status) => messages.of(status)));
    const containers = statuses.map((status, i): ObservedContainer => {
      const made = observedContainer(status, explained[i]);
      const observed = { ...made, actuated: this.#resizer.actuated(made) };
      return this.#starts.isHooked(status.id) && status.state === "running"
        ? { ...observed, state: "created" }
        : observed;
    });
    const known = new Set(containers.map(({ id }) => id));
    this.#kills.forgetAllBut(known);
    for (const id of this.#toldBackoff) if (!known.has(id)) this.#toldBackoff.delete(id);
    sandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs);
    containers.sort((a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs);
    return {
      sandboxes,
      containers,
      volumes: this.#environment.hasVolumes({
        isTerminating: isTerminating(this.#pod, { phase: this.#phase() }),
      })
        ? "mounted"
        : "unmounted",
      probes: this.#verdicts(containers, sandboxes),
      failures: this.#starts.failures,
      sandboxRetryAtMs: this.#environment.sandboxRetryAtMs,
      volumesRetryAtMs: this.#environment.volumesRetryAtMs,
      unmountRetryAtMs: this.#environment.unmountRetryAtMs,
      imagesAhead: this.#starts.imagesAhead(),
      killedForRestart: this.#kills.forRestart,
      underway,
      phase: this.#phase(),
      nextAttempts: nextAttempts(this.#status),
      restartBackoffMsMax: this.#services.restartBackoffMsMax,
      startTimeMs: this.#startTimeMs,
      podCgroup: this.#resizer.podCgroup(this.#pod, { sandboxes }),
      resizeRetryAtMs: this.#resizer.retryAtMs,
    };
  }

  /** The probes of what runs now, and what they say. */
  #verdicts(containers: readonly ObservedContainer[], sandboxes: readonly ObservedSandbox[]) {
    const { hostIps, probes } = this.#services;
    const running = containers.filter(({ state }) => state === "running");
    const ip = this.#pod.spec!.hostNetwork
      ? hostIps()[0]
      : sandboxes.find(({ state }) => state === "ready")?.ips[0];
    probes.sync(this.#pod, running, ip, () => this.wake());
    const verdicts = new Map<string, ProbeVerdict>();
    for (const { id } of running) {
      const verdict = probes.verdict(id);
      if (verdict) verdicts.set(id, verdict);
    }
    return verdicts;
  }

  #wakeAfter(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#services.clock.after(delayMs, () => this.wake());
  }

  #perform(steps: readonly Step[], observed: PodObservation, nowMs: number): void {
    this.#timer?.cancel();
    const dueMs = Math.min(
      ...steps.map((step) => (step.do === "wait" ? step.untilMs : Number.POSITIVE_INFINITY)),
    );
    if (Number.isFinite(dueMs)) this.#wakeAfter(dueMs - nowMs);
    for (const step of steps) {
      if (step.do === "wait") {
        this.#tellBackoff(step);
        continue;
      }
      const key = keyOfStep(step);
      if (this.#underway.has(key) || observed.underway.has(key)) continue;
      const done = this.#performOne(step)
        .catch((error) => {
          const isAbort = this.#running.signal.aborted;
          this.#services.log[isAbort ? "debug" : "warn"](
            { pod: formatPod(this.#pod), step: step.do, error: messageOf(error) },
            "a step for a pod failed",
          );
        })
        .finally(() => {
          this.#underway.delete(key);
          this.wake();
        });
      this.#underway.set(key, done);
    }
  }

  /** Once for each ended attempt. */
  #tellBackoff({ container, backoffMs }: Extract<Step, { do: "wait" }>): void {
    if (container === undefined || backoffMs === undefined) return;
    const last = this.#observed?.containers.find(
      ({ name, state }) => name === container && state === "exited",
    );
    if (!last || this.#toldBackoff.has(last.id)) return;
    this.#toldBackoff.add(last.id);
    this.#services.events.event(
      podTarget(this.#pod, container),
      "Warning",
      "BackOff",
      `Back-off restarting failed container ${container} in pod ${formatPod(this.#pod)}`,
    );
  }

  async #performOne(step: Exclude<Step, { do: "wait" }>): Promise<void> {
    const { runtime } = this.#services;
    switch (step.do) {
      case "mountVolumes":
        return this.#environment.mountVolumes(this.#pod, this.#running.signal, this);
      case "createSandbox":
        return this.#environment.createSandbox(this.#pod, step, this.#running.signal);
      case "stopSandbox":
        return runtime.stopPodSandbox(step.sandboxId);
      case "removeSandbox":
        return runtime.removePodSandbox(step.sandboxId);
      case "pullImage":
        return this.#starts.pullAhead(step.container);
      case "start":
        return this.#starts.start(step);
      case "kill":
        return this.#kills.kill(step);
      case "resize":
        return this.#resizer.resize();
      case "removeContainer":
        return this.#removeContainer(step);
      case "fail":
        this.#services.events.event(podTarget(this.#pod), "Normal", step.reason, step.message);
        return this.fail({ phase: "Failed", reason: step.reason, message: step.message });
      case "unmountVolumes":
        return this.#environment.unmountVolumes(() => this.wake());
      case "finish":
        return this.#finish();
    }
  }

  async #removeContainer({ containerId, logs }: Extract<Step, { do: "removeContainer" }>): Promise<void> {
    const { files, messages, runtime } = this.#services;
    const logPath = this.#observed?.containers.find(({ id }) => id === containerId)?.logPath;
    await runtime.removeContainer(containerId);
    messages.forget(containerId);
    if (logPath && logs !== "keep") await files.removeContainerLog(logPath);
  }

  async #finish(): Promise<void> {
    const { configs, images, probes } = this.#services;
    this.#mode = "finishing";
    this.#timer?.cancel();
    probes.forget(this.uid);
    images.forget(this.uid);
    configs.forget(this.uid);
    if (this.#given.isWantedAgain?.()) return this.#given.onDone(this);
    const outcome = await removePod(this.#services, this.#pod, {
      sandboxIds: [...this.#environment.sandboxIds],
      object: this.#object,
      isStopped: () => (this.#mode as string) === "stopped",
    });
    if (outcome === "stopped") return;
    this.#onReleased();
    this.#given.onDone(this);
  }
}
