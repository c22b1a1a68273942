import { setImmediate } from "node:timers/promises";
import type { corev1 } from "../../api/index.ts";
import type { Timer } from "../../base/index.ts";
import { parseTime } from "../../machinery/index.ts";
import type { Image } from "../../runtime/index.ts";
import { observedContainer, observedSandbox } from "../container/labels.ts";
import { podTarget } from "../events.ts";
import { containerSpecOf, killGraceS } from "../plan/kill.ts";
import type {
  ObservedContainer,
  ObservedSandbox,
  PodObservation,
  ProbeVerdict,
  StartFailure,
} from "../plan/observation.ts";
import { isTerminating, planPod } from "../plan/plan-pod.ts";
import { keyOfStep, type Step } from "../plan/step.ts";
import { formatPod } from "../status/container-statuses.ts";
import { type PodVerdict, podStatus } from "../status/pod-status.ts";
import { Backoff } from "./backoff.ts";
import { ContainerKill, type KillStep } from "./kill-container.ts";
import type { MountedVolumes, PodServices } from "./services.ts";
import { failingAs, messageOf, StartError } from "./start-container.ts";

/** As kubelet's pod worker: about this long after a failure that nothing else will heal. */
const startRetryMs = 10_000;
/** A container that could not be run shows that for a moment, before its back-off does. */
const runErrorShownMs = 1_000;
const sandboxBackoff = { initialMs: 1_000, capMs: 60_000 };
/** As kubelet's volume manager. */
const volumesBackoff = { initialMs: 500, capMs: 122_000 };
const finishBackoff = { initialMs: 200, capMs: 30_000 };

/** Whether the pod's object is still with the API. */
type ApiObject = "present" | "gone";

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
  readonly #onDone: (worker: PodWorker) => void;
  #pod: corev1.Pod;
  #object: ApiObject;
  #verdict: PodVerdict | undefined;
  #status: corev1.PodStatus;
  readonly #startTimeMs: number;
  readonly #restartCounts: ReadonlyMap<string, number>;

  readonly #sandboxIds: string[];
  #volumes: MountedVolumes | undefined;
  #hasVolumes: boolean;
  #sandboxRetryAtMs: number | undefined;
  #volumesRetryAtMs: number | undefined;
  readonly #sandboxBackoff = new Backoff(sandboxBackoff);
  readonly #volumesBackoff = new Backoff(volumesBackoff);
  readonly #finishBackoff = new Backoff(finishBackoff);
  readonly #failures = new Map<string, StartFailure>();
  readonly #images = new Map<string, Promise<Image>>();
  readonly #kills = new Map<string, ContainerKill>();
  readonly #killedForRestart = new Set<string>();
  /** Started, and its postStart hook not done: not yet shown as running. */
  readonly #hooked = new Set<string>();
  readonly #toldBackoff = new Set<string>();
  readonly #underway = new Map<string, Promise<void>>();
  #observed: PodObservation | undefined;
  #changed: (() => void)[] = [];

  #timer: Timer | undefined;
  #isDirty = false;
  #loop: Promise<void> | undefined;
  #mode: "working" | "finishing" | "stopped" = "working";
  /** Aborted once the pod is to end: starting, pulling and mounting stop. */
  readonly #running = new AbortController();

  constructor(
    services: PodServices,
    pod: corev1.Pod,
    given: { sandboxIds: readonly string[]; object: ApiObject; onDone: (worker: PodWorker) => void },
  ) {
    this.uid = pod.metadata.uid!;
    this.#services = services;
    this.#pod = pod;
    this.#object = given.object;
    this.#onDone = given.onDone;
    this.#status = pod.status ?? {};
    const known = this.#status.startTime ? parseTime(this.#status.startTime) : undefined;
    this.#startTimeMs = known ?? services.clock.now();
    this.#sandboxIds = [...given.sandboxIds];
    this.#hasVolumes = services.volumes.arePresent(this.uid);
    const statuses = [
      ...(this.#status.initContainerStatuses ?? []),
      ...(this.#status.containerStatuses ?? []),
    ];
    this.#restartCounts = new Map(
      statuses.filter(({ containerID }) => containerID).map(({ name, restartCount }) => [name, restartCount]),
    );
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

  owns(sandboxId: string): boolean {
    return this.#sandboxIds.includes(sandboxId);
  }

  /** The pod's object has changed. */
  update(pod: corev1.Pod): void {
    this.#pod = pod;
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
    this.#running.abort(new Error("the agent is stopping"));
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
        this.#wakeAfter(startRetryMs);
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
    for (const tell of this.#changed.splice(0)) tell();

    const nowMs = clock.now();
    const steps = planPod(this.#pod, observed, nowMs);
    this.#perform(steps, nowMs);
    this.#status = podStatus(
      this.#pod,
      { ...observed, underway: new Set(this.#underway.keys()) },
      this.#status,
      { hostIps: this.#services.hostIps() },
      nowMs,
      this.#verdict,
    );
    if (this.#object === "present") statuses.set(this.#pod, this.#status);
    // The status may have made the phase final, which plans differently.
    if (this.#phase() !== observed.phase) this.#isDirty = true;
    this.#endIfTerminating();
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
    for (const kill of this.#kills.values()) kill.shorten(killGraceS(this.#pod, kill.container, kill.reason));
  }

  async #observe(): Promise<PodObservation> {
    const { messages, runtime } = this.#services;
    const found = await Promise.all(this.#sandboxIds.map((id) => runtime.podSandboxStatus(id)));
    const lists = await Promise.all(
      this.#sandboxIds.map((sandboxId) => runtime.listContainers({ sandboxId })),
    );
    const sandboxes: ObservedSandbox[] = found.filter((status) => status !== undefined).map(observedSandbox);
    for (const id of this.#sandboxIds.filter((_, i) => found[i] === undefined)) {
      this.#sandboxIds.splice(this.#sandboxIds.indexOf(id), 1);
    }
    const statuses = lists.flat();
    const explained = await Promise.all(statuses.map((status) => messages.of(status)));
    const containers = statuses.map((status, i): ObservedContainer => {
      const observed = observedContainer(status, explained[i]);
      return this.#hooked.has(status.id) && status.state === "running"
        ? { ...observed, state: "created" }
        : observed;
    });
    const known = new Set(containers.map(({ id }) => id));
    for (const ids of [this.#killedForRestart, this.#toldBackoff]) {
      for (const id of ids) if (!known.has(id)) ids.delete(id);
    }
    sandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs);
    containers.sort((a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs);
    return {
      sandboxes,
      containers,
      volumes:
        this.#volumes || (this.#hasVolumes && isTerminating(this.#pod, { phase: this.#phase() }))
          ? "mounted"
          : "unmounted",
      probes: this.#verdicts(containers, sandboxes),
      failures: this.#failures,
      sandboxRetryAtMs: this.#sandboxRetryAtMs,
      volumesRetryAtMs: this.#volumesRetryAtMs,
      imagesAhead: new Set(this.#images.keys()),
      killedForRestart: this.#killedForRestart,
      underway: new Set(this.#underway.keys()),
      phase: this.#phase(),
      restartCounts: this.#restartCounts,
      startTimeMs: this.#startTimeMs,
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

  #perform(steps: readonly Step[], nowMs: number): void {
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
      if (this.#underway.has(key)) continue;
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
    const { runtime, volumes } = this.#services;
    switch (step.do) {
      case "mountVolumes":
        return this.#mountVolumes();
      case "createSandbox":
        return this.#createSandbox(step);
      case "stopSandbox":
        return runtime.stopPodSandbox(step.sandboxId);
      case "removeSandbox":
        return runtime.removePodSandbox(step.sandboxId);
      case "pullImage":
        return this.#pullAhead(step.container);
      case "start":
        return this.#start(step);
      case "kill":
        return this.#kill(step);
      case "removeContainer":
        return this.#removeContainer(step.containerId);
      case "fail":
        this.#services.events.event(podTarget(this.#pod), "Normal", step.reason, step.message);
        return this.fail({ phase: "Failed", reason: step.reason, message: step.message });
      case "unmountVolumes":
        await volumes.unmount(this.uid);
        this.#volumes = undefined;
        this.#hasVolumes = false;
        return;
      case "finish":
        return this.#finish();
    }
  }

  async #mountVolumes(): Promise<void> {
    const { clock, files, volumes } = this.#services;
    try {
      await files.prepare(this.#pod);
      this.#volumes = await volumes.mount(this.#pod, this.#running.signal, () => {
        this.#volumesRetryAtMs = undefined;
        this.wake();
      });
      this.#hasVolumes = true;
      this.#volumesRetryAtMs = undefined;
      this.#volumesBackoff.reset();
    } catch (error) {
      this.#hasVolumes = true;
      this.#volumesRetryAtMs = clock.now() + this.#volumesBackoff.next();
      throw error;
    }
  }

  async #createSandbox({ attempt, changed }: Extract<Step, { do: "createSandbox" }>): Promise<void> {
    const { clock, configs, events, files, runtime } = this.#services;
    if (changed) {
      const message = "Pod sandbox changed, it will be killed and re-created.";
      events.event(podTarget(this.#pod), "Normal", "SandboxChanged", message);
    }
    try {
      const [config] = await Promise.all([configs.sandbox(this.#pod, attempt), files.prepare(this.#pod)]);
      this.#sandboxIds.push(await runtime.runPodSandbox(config, this.#running.signal));
      this.#sandboxRetryAtMs = undefined;
      this.#sandboxBackoff.reset();
    } catch (error) {
      this.#sandboxRetryAtMs = clock.now() + this.#sandboxBackoff.next();
      if (!this.#running.signal.aborted) {
        const message = `Failed to create pod sandbox: ${messageOf(error)}`;
        events.event(podTarget(this.#pod), "Warning", "FailedCreatePodSandBox", message);
      }
      throw error;
    }
  }

  /** The outcome is kept for the start, which shows a failure. */
  async #pullAhead(name: string): Promise<void> {
    const pull = this.#services.images.ensure(
      this.#pod,
      containerSpecOf(this.#pod, name)!,
      this.#running.signal,
    );
    this.#images.set(name, pull);
    try {
      await pull;
    } catch (error) {
      this.#images.delete(name);
      this.#failed(name, error);
    }
  }

  async #start(step: Extract<Step, { do: "start" }>): Promise<void> {
    try {
      await this.#startContainer(step);
      this.#failures.delete(step.container);
    } catch (error) {
      this.#failed(step.container, error);
    }
  }

  #failed(name: string, error: unknown): void {
    const { clock, log } = this.#services;
    if (this.#running.signal.aborted) return;
    const reason = error instanceof StartError ? error.reason : "CreateContainerError";
    const afterMs =
      (error instanceof StartError ? error.retryAfterMs : undefined) ??
      (reason === "RunContainerError" || reason === "PostStartHookError" ? runErrorShownMs : startRetryMs);
    log.info(
      { pod: formatPod(this.#pod), container: name, reason, error: messageOf(error) },
      "container not started",
    );
    this.#failures.set(name, { reason, message: messageOf(error), retryAtMs: clock.now() + afterMs });
  }

  /** What a container lacked has come: it is tried again now. */
  #retryConfig(name: string): void {
    const failure = this.#failures.get(name);
    if (failure?.reason !== "CreateContainerConfigError") return;
    this.#failures.set(name, { ...failure, retryAtMs: this.#services.clock.now() });
    this.wake();
  }

  async #startContainer(step: Extract<Step, { do: "start" }>): Promise<void> {
    const { configs, events, images, runtime } = this.#services;
    const pod = this.#pod;
    const spec = containerSpecOf(pod, step.container)!;
    const signal = this.#running.signal;
    const target = podTarget(pod, spec.name);
    const tellFailed = (error: unknown) => {
      events.event(target, "Warning", "Failed", `Error: ${messageOf(error)}`);
      throw error;
    };

    const ahead = this.#images.get(spec.name) ?? images.ensure(pod, spec, signal);
    this.#images.delete(spec.name);
    const image = await ahead;
    signal.throwIfAborted();
    const podIps = this.#observed?.sandboxes.find(({ id }) => id === step.sandboxId)?.ips ?? [];
    const made = await failingAs("CreateContainerConfigError", () =>
      configs.container(pod, spec, step, {
        image,
        podIps: podIps.length > 0 ? podIps : pod.spec!.hostNetwork ? this.#services.hostIps() : [],
        volumes: this.#volumes ?? new Map(),
        onRetry: () => this.#retryConfig(spec.name),
      }),
    ).catch(tellFailed);
    signal.throwIfAborted();
    const sandbox = await configs.sandbox(pod, this.#observed!.sandboxes[0]!.attempt);
    const id = await failingAs("CreateContainerError", () =>
      runtime.createContainer(step.sandboxId, made!.config, sandbox),
    ).catch(async (error) => {
      await made!.discard();
      return tellFailed(error);
    });
    events.event(target, "Normal", "Created", "Container created");
    signal.throwIfAborted();
    const { postStart } = spec.lifecycle ?? {};
    if (postStart) this.#hooked.add(id!);
    try {
      await failingAs("RunContainerError", () => runtime.startContainer(id!)).catch((error) =>
        tellFailed(new StartError("RunContainerError", messageOf(error).replaceAll(id!, spec.name))),
      );
      events.event(target, "Normal", "Started", "Container started");
      if (postStart) await this.#postStart(spec, id!, postStart);
    } finally {
      this.#hooked.delete(id!);
    }
  }

  async #postStart(
    spec: corev1.Container,
    containerId: string,
    handler: corev1.LifecycleHandler,
  ): Promise<void> {
    const { events, hooks, runtime } = this.#services;
    const ended = new AbortController();
    const stopListening = runtime.onEvent((event) => {
      if (event.containerId === containerId && event.type === "exited")
        ended.abort(new Error("the container has ended"));
    });
    try {
      const signal = AbortSignal.any([this.#running.signal, ended.signal]);
      await hooks.run(this.#pod, spec, containerId, handler, this.#podIp(), signal);
    } catch (error) {
      if (this.#running.signal.aborted) return;
      events.event(podTarget(this.#pod, spec.name), "Warning", "FailedPostStartHook", "PostStartHook failed");
      await this.#kill({
        do: "kill",
        containerId,
        container: spec.name,
        graceS: killGraceS(this.#pod, spec.name, "Unknown"),
        reason: "Unknown",
        message: "FailedPostStartHook",
        after: [],
      });
      throw new StartError("PostStartHookError", messageOf(error));
    } finally {
      stopListening();
    }
  }

  async #kill(step: KillStep): Promise<void> {
    const kill = new ContainerKill(this.#services, step);
    this.#kills.set(step.containerId, kill);
    const isForRestart =
      step.reason === "LivenessProbe" ||
      step.reason === "StartupProbe" ||
      step.reason === "DefinitionChanged";
    if (isForRestart) this.#killedForRestart.add(step.containerId);
    try {
      await kill.run(this.#pod, this.#podIp(), (signal) => this.#untilEnded(step.after, signal));
    } catch (error) {
      const { events } = this.#services;
      events.event(
        podTarget(this.#pod),
        "Warning",
        "FailedKillPod",
        `error killing pod: ${messageOf(error)}`,
      );
      await this.#services.clock.sleep(runErrorShownMs).catch(() => {});
      throw error;
    } finally {
      this.#kills.delete(step.containerId);
    }
  }

  /** Resolves once none of these containers runs. */
  async #untilEnded(names: readonly string[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#mode === "working") {
      const running = this.#observed?.containers.some(
        ({ name, state }) => names.includes(name) && state === "running",
      );
      if (!running) return;
      await new Promise<void>((resolve) => {
        this.#changed.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  async #removeContainer(containerId: string): Promise<void> {
    const { files, messages, runtime } = this.#services;
    const logPath = this.#observed?.containers.find(({ id }) => id === containerId)?.logPath;
    await runtime.removeContainer(containerId);
    messages.forget(containerId);
    if (logPath) await files.removeContainerLog(logPath);
  }

  /** The pod has ended and is to go: its last status is written, its object removed, and all that is left of it here. */
  async #finish(): Promise<void> {
    const { clock, configs, files, images, log, probes, runtime, statuses } = this.#services;
    const pod = this.#pod;
    this.#mode = "finishing";
    this.#timer?.cancel();
    probes.forget(this.uid);
    images.forget(this.uid);
    configs.forget(this.uid);
    const removeObject = async () => {
      if (this.#object === "gone") return;
      await statuses.flushed(this.uid);
      await statuses.deletePod(pod);
    };
    const removeRest = async () => {
      for (const id of [...this.#sandboxIds]) await runtime.removePodSandbox(id);
      await files.remove(pod);
    };
    for (;;) {
      try {
        await Promise.all([removeObject(), removeRest()]);
        break;
      } catch (error) {
        log.warn(
          { pod: formatPod(pod), error: messageOf(error) },
          "removing a pod failed; it will be tried again",
        );
        await clock.sleep(this.#finishBackoff.next());
      }
      if ((this.#mode as string) === "stopped") return;
    }
    statuses.forget(this.uid);
    this.#onDone(this);
  }
}
