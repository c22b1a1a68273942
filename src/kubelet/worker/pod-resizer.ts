import type { corev1 } from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import { podResources } from "../container/resources.ts";
import { newest, type ObservedContainer, type PodObservation } from "../plan/observation.ts";
import {
  containerResize,
  podCgroupWanted,
  type ResizingContainer,
  resizable,
  resizeWrites,
} from "../plan/resize.ts";
import { type Actuated, wantedOf } from "../resize/actuated.ts";
import { withAllocation } from "../resize/allocation.ts";
import { Backoff } from "./backoff.ts";
import { RetryTime } from "./retry-time.ts";
import type { PodServices } from "./services.ts";
import { messageOf } from "./start-error.ts";

/** Memory above a new limit is often given back soon. */
const resizeBackoff = { initialMs: 1_000, capMs: 10_000 };

/** The pod as its worker has it now. */
export interface ResizingPod {
  pod(): corev1.Pod;
  observed(): PodObservation | undefined;
}

/** Brings one pod's cgroups to what it was given. As kuberuntime's doPodResizeAction. */
export class PodResizer {
  readonly #services: PodServices;
  readonly #pod: ResizingPod;
  readonly #backoff = new Backoff(resizeBackoff);
  readonly #retry: RetryTime;
  /** What could not be brought about. */
  #failed: string | undefined;

  constructor(services: PodServices, pod: ResizingPod) {
    this.#services = services;
    this.#pod = pod;
    this.#retry = new RetryTime(services.clock);
  }

  /** When what failed is tried again; for what the pod was given since, at once. */
  get retryAtMs(): number | undefined {
    return this.#failed !== undefined && this.#failed === goalOf(this.#pod.pod())
      ? this.#retry.untilMs
      : undefined;
  }

  /** What the pod's cgroup says: as last written, or as it was made with the sandbox. */
  podCgroup(pod: corev1.Pod, { sandboxes }: Pick<PodObservation, "sandboxes">): LinuxResources | undefined {
    const written = this.#services.resizes.podCgroup(pod.metadata.uid!);
    const sandbox = sandboxes.find(({ state }) => state === "ready");
    if (!sandbox) return undefined;
    if (written) return written;
    return sandbox.allocation && podResources(withAllocation(pod, sandbox.allocation));
  }

  /** What a container has: as last written, or as it was made. */
  actuated(container: ObservedContainer): Actuated | undefined {
    return this.#services.resizes.actuated(this.#pod.pod().metadata.uid!, container.id) ?? container.actuated;
  }

  async resize(): Promise<void> {
    const pod = this.#pod.pod();
    const observed = this.#pod.observed()!;
    const { resizes } = this.#services;
    const sandboxId = observed.sandboxes.find(({ state }) => state === "ready")!.id;
    const has = observed.podCgroup ?? {};
    const wants = podCgroupWanted(pod, has);
    const containers = resizingContainers(pod, observed);
    let podCgroup: LinuxResources = has;
    const actuated: Record<string, Actuated> = {};
    try {
      await this.#requireRoom(observed, sandboxId, { has, wants, containers });
      for (const write of resizeWrites(has, wants, containers)) {
        if (write.to === "pod") {
          await this.#services.runtime.updatePodSandboxResources(sandboxId, write.resources);
          podCgroup = { ...podCgroup, ...write.resources };
        } else {
          const isEmpty = Object.keys(write.resources).length === 0;
          if (!isEmpty) await this.#services.runtime.updateContainerResources(write.id, write.resources);
          actuated[write.id] = write.actuated;
        }
      }
      podCgroup = wants;
      this.#backoff.reset();
      this.#failed = undefined;
    } catch (error) {
      this.#failed = goalOf(pod);
      this.#retry.wait(this.#backoff.next());
      resizes.failed(pod, messageOf(error));
      throw error;
    } finally {
      // What was written before a failure is in force, too.
      const known = new Set(observed.containers.map(({ id }) => id));
      resizes.record(pod.metadata.uid!, { podCgroup, containers: actuated }, known);
    }
  }

  /** A limit below what is in use would kill, or not be taken at all. As validateMemoryResizeAction. */
  async #requireRoom(
    observed: PodObservation,
    sandboxId: string,
    resize: { has: LinuxResources; wants: LinuxResources; containers: readonly ResizingContainer[] },
  ): Promise<void> {
    const { runtime } = this.#services;
    const problems: string[] = [];
    const below = (what: string, limitBytes: number, usedBytes: number | undefined) => {
      if (usedBytes === undefined) problems.push(`missing ${what} memory usage`);
      else if (usedBytes >= limitBytes)
        problems.push(
          `attempting to set ${what} memory limit (${limitBytes}) below current usage (${usedBytes})`,
        );
    };
    const podLimit = resize.wants.memoryLimitBytes;
    if (podLimit !== undefined && podLimit < (resize.has.memoryLimitBytes ?? Number.POSITIVE_INFINITY))
      below("pod", podLimit, (await runtime.podSandboxStats(sandboxId))?.memoryUsageBytes);
    for (const { id, has, wants } of resize.containers) {
      const limit = wants.memoryLimitBytes;
      if (limit === 0 || (has.memoryLimitBytes !== 0 && limit >= has.memoryLimitBytes)) continue;
      const name = observed.containers.find((container) => container.id === id)!.name;
      const stats = await runtime.containerStats(id);
      below(`container ${JSON.stringify(name)}`, limit, stats?.memoryUsageBytes);
    }
    if (problems.length === 0) return;
    const all = problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
    throw new Error(`cannot decrease memory limits: ${all}`);
  }
}

const goalOf = (pod: corev1.Pod) =>
  JSON.stringify([podResources(pod), resizable(pod).map((container) => wantedOf(pod, container))]);

function resizingContainers(pod: corev1.Pod, observed: PodObservation): ResizingContainer[] {
  return resizable(pod).flatMap((container) => {
    const seen = newest(observed, container.name);
    if (containerResize(pod, container, seen) !== "update") return [];
    return [{ id: seen!.id, has: seen!.actuated!, wants: wantedOf(pod, container) }];
  });
}
