import type { corev1 } from "../../api/index.ts";
import type { Image } from "../../runtime/index.ts";
import { podTarget } from "../events.ts";
import { containerSpecOf, killGraceS } from "../plan/kill.ts";
import type { PodObservation, StartFailure } from "../plan/observation.ts";
import type { Step } from "../plan/step.ts";
import { formatPod } from "../status/container-statuses.ts";
import type { KillStep } from "./kill-container.ts";
import { RetryTime } from "./retry-time.ts";
import type { MountedVolumes, PodServices } from "./services.ts";
import { failingAs, messageOf, StartError } from "./start-error.ts";

/** As kubelet's pod worker: about this long after a failure that nothing else will heal. */
const startRetryMs = 10_000;
/** A container that could not be run shows that for a moment, before its back-off does. */
const runErrorShownMs = 1_000;

/** The pod as its worker has it now. */
export interface StartingPod {
  pod(): corev1.Pod;
  observed(): PodObservation | undefined;
  volumes(): MountedVolumes;
  podIp(): string | undefined;
  /** Aborted once the pod is to end. */
  readonly signal: AbortSignal;
  wake(): void;
  kill(step: KillStep): Promise<void>;
}

interface StartImages {
  image: Image;
  /** By volume. */
  volumes: ReadonlyMap<string, Image>;
}

/**
 * The starts of one pod's containers: pull, configure, create, start, postStart. What keeps a container from starting
 * is remembered until it has started; losing that costs one more try. As kuberuntime's startContainer.
 */
export class ContainerStarts {
  readonly #failures = new Map<string, { reason: string; message: string; retry: RetryTime }>();
  readonly #services: PodServices;
  readonly #pod: StartingPod;
  /** Pulled, or being pulled, before the start's turn; by container. */
  readonly #images = new Map<string, Promise<StartImages>>();
  /** Started, and its postStart hook not done: not yet shown as running. */
  readonly #hooked = new Set<string>();
  /** Whose image is there, and which will have been started in a moment. */
  readonly #creating = new Set<string>();
  #hasFailed = false;

  constructor(services: PodServices, pod: StartingPod) {
    this.#services = services;
    this.#pod = pod;
  }

  /** By container. */
  get failures(): ReadonlyMap<string, StartFailure> {
    const nowMs = this.#services.clock.now();
    return new Map(
      [...this.#failures].map(([name, { reason, message, retry }]) => [
        name,
        { reason, message, retryAtMs: retry.untilMs ?? nowMs },
      ]),
    );
  }

  imagesAhead(): ReadonlySet<string> {
    return new Set(this.#images.keys());
  }

  /** Whether a container will have been started in a moment: nothing slow (a pull, a hook) is waited for. */
  isCreating(): boolean {
    return this.#creating.size > 0;
  }

  isHooked(containerId: string): boolean {
    return this.#hooked.has(containerId);
  }

  /** The outcome is kept for the start, which shows a failure. */
  async pullAhead(name: string): Promise<void> {
    const pull = this.#ensureImages(containerSpecOf(this.#pod.pod(), name)!);
    this.#images.set(name, pull);
    try {
      await pull;
    } catch (error) {
      this.#images.delete(name);
      this.#services.counts.containerStarts(this.#pod.pod(), name);
      this.#failed(name, error);
    }
  }

  /** The container's own image, and those it mounts. */
  async #ensureImages(spec: corev1.Container): Promise<StartImages> {
    const pod = this.#pod.pod();
    const { images } = this.#services;
    const [image, volumes] = await Promise.all([
      images.ensure(pod, spec, this.#pod.signal),
      images.ensureVolumes(pod, spec, this.#pod.signal),
    ]);
    return { image, volumes };
  }

  async start(step: Extract<Step, { do: "start" }>): Promise<void> {
    this.#services.counts.containerStarts(this.#pod.pod(), step.container);
    try {
      await this.#startContainer(step);
      this.#failures.delete(step.container);
      // It may be the target that another one waits for.
      for (const name of this.#failures.keys()) this.#retryConfig(name);
    } catch (error) {
      this.#failed(step.container, error);
    } finally {
      this.#creating.delete(step.container);
    }
  }

  #failed(name: string, error: unknown): void {
    const { clock, counts, log } = this.#services;
    if (this.#pod.signal.aborted) return;
    const reason = error instanceof StartError ? error.reason : "CreateContainerError";
    counts.containerFailed(this.#pod.pod(), name, reason, { isFirst: !this.#hasFailed });
    this.#hasFailed = true;
    const afterMs =
      (error instanceof StartError ? error.retryAfterMs : undefined) ??
      (reason === "RunContainerError" || reason === "PostStartHookError" ? runErrorShownMs : startRetryMs);
    log.info(
      { pod: formatPod(this.#pod.pod()), container: name, reason, error: messageOf(error) },
      "container not started",
    );
    const retry = new RetryTime(clock);
    retry.wait(afterMs);
    this.#failures.set(name, { reason, message: messageOf(error), retry });
  }

  /** What a container lacked has come: it is tried again now. */
  #retryConfig(name: string): void {
    const failure = this.#failures.get(name);
    if (failure?.reason !== "CreateContainerConfigError") return;
    failure.retry.clear();
    this.#pod.wake();
  }

  async #startContainer(step: Extract<Step, { do: "start" }>): Promise<void> {
    const { configs, events, runtime } = this.#services;
    const pod = this.#pod.pod();
    const spec = containerSpecOf(pod, step.container)!;
    const signal = this.#pod.signal;
    const target = podTarget(pod, spec.name);
    const tellFailed = (error: unknown) => {
      events.event(target, "Warning", "Failed", `Error: ${messageOf(error)}`);
      throw error;
    };

    const ahead = this.#images.get(spec.name) ?? this.#ensureImages(spec);
    this.#images.delete(spec.name);
    const { image, volumes } = await ahead;
    signal.throwIfAborted();
    this.#creating.add(spec.name);
    const podIps = this.#pod.observed()?.sandboxes.find(({ id }) => id === step.sandboxId)?.ips ?? [];
    const made = await failingAs("CreateContainerConfigError", () =>
      configs.container(pod, spec, step, {
        image,
        podIps: podIps.length > 0 ? podIps : pod.spec!.hostNetwork ? this.#services.hostIps() : [],
        volumes: withImages(this.#pod.volumes(), volumes),
        onRetry: () => this.#retryConfig(spec.name),
        runningId: (name) =>
          this.#pod.observed()?.containers.find((each) => each.name === name && each.state === "running")?.id,
      }),
    ).catch(tellFailed);
    signal.throwIfAborted();
    const sandbox = await configs.sandbox(pod, this.#pod.observed()!.sandboxes[0]!.attempt);
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
      this.#creating.delete(spec.name);
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
      const signal = AbortSignal.any([this.#pod.signal, ended.signal]);
      await hooks.run(this.#pod.pod(), spec, containerId, handler, this.#pod.podIp(), signal);
    } catch (error) {
      if (this.#pod.signal.aborted) return;
      events.event(
        podTarget(this.#pod.pod(), spec.name),
        "Warning",
        "FailedPostStartHook",
        "PostStartHook failed",
      );
      await this.#pod.kill({
        do: "kill",
        containerId,
        container: spec.name,
        graceS: killGraceS(this.#pod.pod(), spec.name, "Unknown"),
        reason: "Unknown",
        message: "FailedPostStartHook",
        after: [],
      });
      throw new StartError("PostStartHookError", messageOf(error));
    } finally {
      stopListening();
    }
  }
}

function withImages(volumes: MountedVolumes, images: ReadonlyMap<string, Image>): MountedVolumes {
  if (images.size === 0) return volumes;
  const mounted = [...images].map(
    ([name, { id }]) => [name, { ...volumes.get(name)!, imageId: id }] as const,
  );
  return new Map([...volumes, ...mounted]);
}
