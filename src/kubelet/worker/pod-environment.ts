import type { corev1 } from "../../api/index.ts";
import { podTarget } from "../events.ts";
import type { Step } from "../plan/step.ts";
import { Backoff } from "./backoff.ts";
import type { MountedVolumes, PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

const sandboxBackoff = { initialMs: 1_000, capMs: 60_000 };
/** As kubelet's volume manager. */
const volumesBackoff = { initialMs: 500, capMs: 122_000 };

/** What a pod's containers share: its sandbox and its volumes, and when making them is tried again. */
export class PodEnvironment {
  readonly #services: PodServices;
  readonly #podUid: string;
  readonly #sandboxIds: string[];
  #volumes: MountedVolumes | undefined;
  #hasVolumes: boolean;
  #sandboxRetryAtMs: number | undefined;
  #volumesRetryAtMs: number | undefined;
  readonly #sandboxBackoff = new Backoff(sandboxBackoff);
  readonly #volumesBackoff = new Backoff(volumesBackoff);

  constructor(services: PodServices, podUid: string, sandboxIds: readonly string[]) {
    this.#services = services;
    this.#podUid = podUid;
    this.#sandboxIds = [...sandboxIds];
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
    return this.#sandboxRetryAtMs;
  }

  get volumesRetryAtMs(): number | undefined {
    return this.#volumesRetryAtMs;
  }

  /** For a pod that ends, what an earlier agent mounted or mounting left half done counts too. */
  hasVolumes({ isTerminating }: { isTerminating: boolean }): boolean {
    return this.#volumes !== undefined || (this.#hasVolumes && isTerminating);
  }

  forgetSandboxes(gone: readonly string[]): void {
    for (const id of gone) this.#sandboxIds.splice(this.#sandboxIds.indexOf(id), 1);
  }

  async mountVolumes(pod: corev1.Pod, signal: AbortSignal, wake: () => void): Promise<void> {
    const { clock, files, volumes } = this.#services;
    try {
      await files.prepare(pod);
      this.#volumes = await volumes.mount(pod, signal, () => {
        this.#volumesRetryAtMs = undefined;
        wake();
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

  async unmountVolumes(): Promise<void> {
    await this.#services.volumes.unmount(this.#podUid);
    this.#volumes = undefined;
    this.#hasVolumes = false;
  }

  async createSandbox(
    pod: corev1.Pod,
    { attempt, changed }: Extract<Step, { do: "createSandbox" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, configs, events, files, runtime } = this.#services;
    if (changed) {
      const message = "Pod sandbox changed, it will be killed and re-created.";
      events.event(podTarget(pod), "Normal", "SandboxChanged", message);
    }
    try {
      const [config] = await Promise.all([configs.sandbox(pod, attempt), files.prepare(pod)]);
      this.#sandboxIds.push(await runtime.runPodSandbox(config, signal));
      this.#sandboxRetryAtMs = undefined;
      this.#sandboxBackoff.reset();
    } catch (error) {
      this.#sandboxRetryAtMs = clock.now() + this.#sandboxBackoff.next();
      if (!signal.aborted) {
        const message = `Failed to create pod sandbox: ${messageOf(error)}`;
        events.event(podTarget(pod), "Warning", "FailedCreatePodSandBox", message);
      }
      throw error;
    }
  }
}
