import type { corev1 } from "../../api/index.ts";
import { podTarget } from "../events.ts";
import { containerSpecOf, killGraceSMin } from "../plan/kill.ts";
import type { KillReason, Step } from "../plan/step.ts";
import type { PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

export type KillStep = Extract<Step, { do: "kill" }>;

/**
 * One container's end: preStop hook, turn, stop signal, SIGKILL; all within the grace period, which may be cut short
 * while it runs. As kuberuntime's killContainer.
 */
export class ContainerKill {
  readonly reason: KillReason;
  readonly container: string;
  #graceS: number;
  #startMs: number;
  #isStopping = false;
  readonly #step: KillStep;
  readonly #services: PodServices;
  readonly #hurry = new AbortController();

  constructor(services: PodServices, step: KillStep) {
    this.#services = services;
    this.#step = step;
    this.#graceS = step.graceS;
    this.#startMs = services.clock.monotonicMs();
    this.reason = step.reason;
    this.container = step.container;
  }

  get graceS(): number {
    return this.#graceS;
  }

  /** `turn`: resolves when the containers that come before it have ended. */
  async run(
    pod: corev1.Pod,
    podIp: string | undefined,
    turn: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const { events } = this.#services;
    const { container, containerId, message, after } = this.#step;
    events.event(podTarget(pod, container), "Normal", "Killing", message.replaceAll(containerId, container));
    const preStop = containerSpecOf(pod, container)?.lifecycle?.preStop;
    if (preStop && this.#graceS > 0) await this.#preStop(pod, preStop, podIp);
    if (after.length > 0 && this.#graceS > 0) await this.#within(turn);
    this.#isStopping = true;
    await this.#stop();
  }

  /** A shorter grace period, counted from now. */
  shorten(graceS: number): void {
    if (graceS >= this.#graceS) return;
    this.#graceS = graceS;
    this.#startMs = this.#services.clock.monotonicMs();
    this.#hurry.abort(new Error("the grace period was cut short"));
    if (this.#isStopping) void this.#stop().catch(() => {});
  }

  #leftS(): number {
    const passedS = Math.floor((this.#services.clock.monotonicMs() - this.#startMs) / 1_000);
    return Math.max(this.#graceS - passedS, killGraceSMin);
  }

  #stop(): Promise<void> {
    return this.#services.runtime.stopContainer(this.#step.containerId, { graceS: this.#leftS() });
  }

  /** A hook that an earlier agent began is not run again. */
  async #preStop(
    pod: corev1.Pod,
    handler: corev1.LifecycleHandler,
    podIp: string | undefined,
  ): Promise<void> {
    const { hooks, events, files, log } = this.#services;
    const { container, containerId } = this.#step;
    const mark = `${containerId}.preStop`;
    if (files.isMarked(pod, mark)) return;
    await files.mark(pod, mark).catch(() => {});
    const spec = containerSpecOf(pod, container)!;
    await this.#within(async (signal) => {
      try {
        await hooks.run(pod, spec, containerId, handler, podIp, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.info({ pod: pod.metadata.name, container, error: messageOf(error) }, "preStop hook failed");
        events.event(podTarget(pod, container), "Warning", "FailedPreStopHook", "PreStopHook failed");
      }
    });
  }

  /** Runs `task` until it ends, the grace period has passed, or it is cut short. */
  async #within(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock } = this.#services;
    const leftMs = this.#graceS * 1_000 - (clock.monotonicMs() - this.#startMs);
    const over = new AbortController();
    const timer = clock.after(leftMs, () => over.abort(new Error("grace period over")));
    const signal = AbortSignal.any([over.signal, this.#hurry.signal]);
    try {
      await Promise.race([
        task(signal),
        new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        }),
      ]);
    } finally {
      timer.cancel();
      over.abort(new Error("done"));
    }
  }
}
