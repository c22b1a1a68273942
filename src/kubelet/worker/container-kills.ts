import type { corev1 } from "../../api/index.ts";
import { podTarget } from "../events.ts";
import { containerSpecOf, killGraceS } from "../plan/kill.ts";
import type { PodObservation } from "../plan/observation.ts";
import { ContainerKill, type KillStep } from "./kill-container.ts";
import type { PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

/** After a container could not be killed. */
const killRetryMs = 1_000;

/** The pod as its worker has it now. */
export interface EndingPod {
  pod(): corev1.Pod;
  observed(): PodObservation | undefined;
  podIp(): string | undefined;
}

/** The ends of one pod's containers, those that wait for each other included. */
export class ContainerKills {
  readonly #services: PodServices;
  readonly #pod: EndingPod;
  readonly #kills = new Map<string, ContainerKill>();
  readonly #forRestart = new Set<string>();
  #waiting: (() => void)[] = [];
  #isStopped = false;

  constructor(services: PodServices, pod: EndingPod) {
    this.#services = services;
    this.#pod = pod;
  }

  /** Containers that were killed so that they start again: whatever they end with, the restart policy allows it. */
  get forRestart(): ReadonlySet<string> {
    return this.#forRestart;
  }

  forgetAllBut(known: ReadonlySet<string>): void {
    for (const id of this.#forRestart) if (!known.has(id)) this.#forRestart.delete(id);
  }

  /** Ends no container, and nothing waits for another's end any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The pod was observed anew. */
  lookedAgain(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }

  /** The pod's grace period may have been cut short. */
  shorten(): void {
    const pod = this.#pod.pod();
    for (const kill of this.#kills.values()) kill.shorten(killGraceS(pod, kill.container, kill.reason));
  }

  async kill(step: KillStep): Promise<void> {
    const { clock, events } = this.#services;
    const kill = new ContainerKill(this.#services, step);
    this.#kills.set(step.containerId, kill);
    if (isForRestart(step, this.#pod.pod())) this.#forRestart.add(step.containerId);
    try {
      await kill.run(this.#pod.pod(), this.#pod.podIp(), (signal) => this.#untilEnded(step.after, signal));
    } catch (error) {
      const message = `error killing pod: ${messageOf(error)}`;
      events.event(podTarget(this.#pod.pod()), "Warning", "FailedKillPod", message);
      await clock.sleep(killRetryMs).catch(() => {});
      throw error;
    } finally {
      this.#kills.delete(step.containerId);
    }
  }

  /** Resolves once none of these containers runs. */
  async #untilEnded(names: readonly string[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#isStopped) {
      const running = this.#pod
        .observed()
        ?.containers.some(({ name, state }) => names.includes(name) && state === "running");
      if (!running) return;
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}

/** As kubelet: what changed, or is resized, is replaced whatever the policy; what failed its probe, unless it is never to restart. */
function isForRestart({ container, reason }: KillStep, pod: corev1.Pod): boolean {
  if (reason === "DefinitionChanged" || reason === "Resize") return true;
  if (reason !== "LivenessProbe" && reason !== "StartupProbe") return false;
  return (containerSpecOf(pod, container)?.restartPolicy ?? pod.spec!.restartPolicy) !== "Never";
}
