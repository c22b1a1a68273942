import type { Clock } from "../../../base/index.ts";
import type { CgroupUsage, LinuxResources, PodSandboxStats, SharedCgroups } from "../../contract.ts";
import { openPodCgroups, type PodCgroups } from "../../oci/cgroups/other-engine.ts";
import { ignoringNotFound, isUnimplemented } from "../errors.ts";
import { podStatsFromCri, resourcesToCri } from "../translate/index.ts";
import type { CriConnection } from "./connection.ts";

/** On sandboxes: the pod's cgroup, which an engine makes and leaves for the agent to limit and to remove. */
export const cgroupAnnotation = "peapod.io/cgroup-parent";

/** What an agent does about a pod's own cgroup, whose containers the engine runs. */
export class CriPods implements SharedCgroups {
  readonly #connection: CriConnection;
  readonly #cgroupRoot: string;
  readonly #clock: Clock;
  #cgroups: Promise<PodCgroups> | undefined;

  constructor(connection: CriConnection, { cgroupRoot, clock }: { cgroupRoot: string; clock: Clock }) {
    this.#connection = connection;
    this.#cgroupRoot = cgroupRoot;
    this.#clock = clock;
  }

  /** `parent` is relative to the root of all pods. */
  async limit(parent: string, resources: LinuxResources): Promise<void> {
    (await this.#open()).limit(`${this.#cgroupRoot}/${parent}`, resources);
  }

  /** Of one that the engine has made, with its first pod of that class. */
  async usage(parent: string): Promise<CgroupUsage | undefined> {
    return (await this.#open()).usage(`${this.#cgroupRoot}/${parent}`);
  }

  /** The engine is told first, and may refuse; one of before CRI 0.35 has no say. */
  async update(podSandboxId: string, resources: LinuxResources): Promise<void> {
    const parent = await this.#parentOf(podSandboxId);
    const request = { podSandboxId, resources: resourcesToCri(resources) };
    await this.#connection.runtime("UpdatePodSandboxResources", request).catch((error: unknown) => {
      if (!isUnimplemented(error)) throw error;
    });
    if (parent !== undefined) await this.limit(parent, resources);
  }

  async stats(podSandboxId: string): Promise<PodSandboxStats | undefined> {
    try {
      const asked = this.#connection.runtime("PodSandboxStats", { podSandboxId });
      const stats = (await ignoringNotFound(asked))?.stats;
      return stats ? podStatsFromCri(podSandboxId, stats) : undefined;
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      const parent = await this.#parentOf(podSandboxId);
      if (parent === undefined) return undefined;
      const usage = await this.usage(parent);
      return usage && { sandboxId: podSandboxId, atMs: this.#clock.now(), ...usage };
    }
  }

  async #parentOf(podSandboxId: string): Promise<string | undefined> {
    const { items } = await this.#connection.runtime("ListPodSandbox", { filter: { id: podSandboxId } });
    return items.find(({ id }) => id === podSandboxId)?.annotations[cgroupAnnotation];
  }

  #open(): Promise<PodCgroups> {
    this.#cgroups ??= openPodCgroups();
    return this.#cgroups;
  }
}
