import type { corev1 } from "../../api/index.ts";
import { podTarget } from "../events.ts";
import type { Step } from "../plan/step.ts";
import type { PodVerdict } from "../status/pod-status.ts";
import { Backoff } from "./backoff.ts";
import { PodRejection } from "./pod-rejection.ts";
import { RetryTime } from "./retry-time.ts";
import type { MountedVolumes, PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

const sandboxBackoff = { initialMs: 1_000, capMs: 60_000 };
/** As kubelet's volume manager. */
const volumesBackoff = { initialMs: 500, capMs: 122_000 };

/** The worker of the pod whose environment it is. */
interface PodOwner {
  wake(): void;
  fail(verdict: PodVerdict): void;
}

/** What a pod's containers share: its sandbox and its volumes, and when making them is tried again. */
export class PodEnvironment {
  readonly #services: PodServices;
  readonly #podUid: string;
  readonly #sandboxIds: string[];
  #volumes: MountedVolumes | undefined;
  #hasVolumes: boolean;
  readonly #sandboxRetry: RetryTime;
  readonly #volumesRetry: RetryTime;
  readonly #unmountRetry: RetryTime;
  readonly #sandboxBackoff = new Backoff(sandboxBackoff);
  readonly #volumesBackoff = new Backoff(volumesBackoff);
  readonly #unmountBackoff = new Backoff(volumesBackoff);

  constructor(services: PodServices, podUid: string, sandboxIds: readonly string[]) {
    this.#services = services;
    this.#podUid = podUid;
    this.#sandboxIds = [...sandboxIds];
    this.#sandboxRetry = new RetryTime(services.clock);
    this.#volumesRetry = new RetryTime(services.clock);
    this.#unmountRetry = new RetryTime(services.clock);
    this.#hasVolumes = services.volumes.arePresent(podUid);
  }

  /** Those of the engine, older ones that are to be removed included. */
  get sandboxIds(): readonly string[] {
    return this.#sandboxIds;
  }

  /** Undefined until this agent has mounted them. */
  get volumes(): MountedVolumes | undefined {
    return this.#volumes;
  }

  get sandboxRetryAtMs(): number | undefined {
    return this.#sandboxRetry.untilMs;
  }

  get volumesRetryAtMs(): number | undefined {
    return this.#volumesRetry.untilMs;
  }

  get unmountRetryAtMs(): number | undefined {
    return this.#unmountRetry.untilMs;
  }

  /** For a pod that ends, what an earlier agent mounted or mounting left half done counts too. */
  hasVolumes({ isTerminating }: { isTerminating: boolean }): boolean {
    return this.#volumes !== undefined || (this.#hasVolumes && isTerminating);
  }

  forgetSandboxes(gone: readonly string[]): void {
    for (const id of gone) this.#sandboxIds.splice(this.#sandboxIds.indexOf(id), 1);
  }

  async mountVolumes(pod: corev1.Pod, signal: AbortSignal, owner: PodOwner): Promise<void> {
    const { events, files, volumes } = this.#services;
    try {
      await files.prepare(pod);
      this.#volumes = await volumes.mount(pod, signal, () => {
        this.#volumesRetry.clear();
        owner.wake();
      });
      this.#hasVolumes = true;
      this.#volumesRetry.clear();
      this.#volumesBackoff.reset();
    } catch (error) {
      this.#hasVolumes = true;
      this.#volumesRetry.wait(this.#volumesBackoff.next());
      if (error instanceof PodRejection && !signal.aborted) {
        const { message, reason } = error;
        events.event(podTarget(pod), "Warning", reason, message);
        owner.fail({ phase: "Failed", reason, message: `Pod was rejected: ${message}` });
      }
      throw error;
    }
  }

  async unmountVolumes(wake: () => void): Promise<void> {
    const { volumes } = this.#services;
    try {
      await volumes.unmount(this.#podUid, () => {
        this.#unmountRetry.clear();
        wake();
      });
    } catch (error) {
      // A driver may be away, or hang: it is asked again, not all the time.
      this.#unmountRetry.wait(this.#unmountBackoff.next());
      throw error;
    }
    this.#volumes = undefined;
    this.#hasVolumes = false;
  }

  async createSandbox(
    pod: corev1.Pod,
    { attempt, changed }: Extract<Step, { do: "createSandbox" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { configs, counts, events, files, runtime } = this.#services;
    counts.podStarts(pod);
    if (changed) {
      const message = "Pod sandbox changed, it will be killed and re-created.";
      events.event(podTarget(pod), "Normal", "SandboxChanged", message);
    }
    try {
      await files.prepare(pod);
      const config = await configs.sandbox(pod, attempt);
      this.#sandboxIds.push(await runtime.runPodSandbox(config, signal));
      this.#sandboxRetry.clear();
      this.#sandboxBackoff.reset();
    } catch (error) {
      this.#sandboxRetry.wait(this.#sandboxBackoff.next());
      if (!signal.aborted) {
        counts.podFailed(pod);
        const message = `Failed to create pod sandbox: ${messageOf(error)}`;
        events.event(podTarget(pod), "Warning", "FailedCreatePodSandBox", message);
      }
      throw error;
    }
  }
}
