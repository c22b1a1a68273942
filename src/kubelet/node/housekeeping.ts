import type { corev1 } from "../../api/index.ts";
import type { Refusal } from "../admission/admit.ts";
import type { EventTarget } from "../events.ts";
import { admitUnderPressure } from "../eviction/admit.ts";
import { EvictionManager } from "../eviction/eviction-manager.ts";
import { HostUsage } from "../eviction/host-usage.ts";
import type { PressureCondition } from "../eviction/signals.ts";
import { collectGarbage } from "../garbage/collector.ts";
import { ContainerGc } from "../garbage/container-gc.ts";
import { ImageGc } from "../garbage/image-gc.ts";
import { imageGcPolicyOf, isOff } from "../garbage/image-plan.ts";
import { LogRotator } from "../logs/log-rotator.ts";
import type { SettledOptions } from "../options.ts";
import { NodeShutdown, shuttingDownMessage } from "../shutdown/node-shutdown.ts";
import type { PodVerdict } from "../status/pod-status.ts";
import type { PodWorker } from "../worker/pod-worker.ts";
import type { MachineSize } from "./capacity.ts";
import { SharedCgroupKeeper } from "./shared-cgroup-keeper.ts";
import { podsMemoryBytes } from "./shared-limits.ts";

export interface HousekeepingGivens {
  machine: MachineSize & { pidsMax: number };
  workers: ReadonlyMap<string, PodWorker>;
  node(): EventTarget;
  onConditions(): void;
  /** Resolves once what is known of a pod is with the API. */
  written(podUid: string): Promise<void>;
  orphanFolders(): Promise<void>;
  /** Removes what is kept of the logs of pods that are gone. */
  keptLogs(): Promise<void>;
}

/** What the agent does for the node rather than for one pod: it keeps room, and gives up pods where there is none. */
export class Housekeeping {
  readonly #options: SettledOptions;
  readonly #given: HousekeepingGivens;
  readonly #evictions: EvictionManager;
  readonly #shutdown: NodeShutdown;
  readonly #containers: ContainerGc;
  readonly #images: ImageGc;
  readonly #cgroups: SharedCgroupKeeper | undefined;

  constructor(options: SettledOptions, given: HousekeepingGivens) {
    const { clock, config, dir, events, log, runtime } = options;
    const { machine, node, workers } = given;
    const isLimited = config.enforceNodeAllocatable.includes("pods");
    const podsMemoryLimit = isLimited ? podsMemoryBytes(machine, config) : undefined;
    const usage = options.usage ?? new HostUsage({ dir, runtime, clock, podsMemoryBytes: podsMemoryLimit });
    const activePods = () => [...workers.values()].filter(({ isEnding }) => !isEnding).map(({ pod }) => pod);
    this.#cgroups =
      runtime.sharedCgroups &&
      new SharedCgroupKeeper({
        ...{ machine, config, clock, log, events, node, activePods },
        cgroups: runtime.sharedCgroups,
      });
    this.#options = options;
    this.#given = given;
    const end = async (pod: corev1.Pod, verdict: PodVerdict, signal: AbortSignal) => {
      const worker = workers.get(pod.metadata.uid!);
      worker?.fail(verdict);
      if (worker) await untilAborted(worker.released, signal);
    };
    this.#containers = new ContainerGc({ runtime, worker: (uid) => workers.get(uid) });
    this.#images = new ImageGc({ policy: imageGcPolicyOf(config), runtime, clock, log, events, node });
    this.#evictions = new EvictionManager({
      ...{ config, clock, log, events, usage, node },
      reclaim: {
        keptLogs: given.keptLogs,
        deadContainers: () => this.#containers.removeUnused(),
        unusedImages: () => this.#images.removeUnused(),
      },
      activePods,
      evict: end,
      onConditions: given.onConditions,
    });
    this.#shutdown = new NodeShutdown({
      ...{ config, clock, log, events, node, activePods },
      end: async (pod, verdict, signal) => {
        await end(pod, verdict, signal);
        await given.written(pod.metadata.uid!);
      },
      onBegin: given.onConditions,
    });
  }

  get conditions(): readonly PressureCondition[] {
    return this.#evictions.conditions;
  }

  /** Why the node takes no pods, as its Ready condition says it. */
  get unready(): string | undefined {
    return this.#shutdown.hasBegun ? shuttingDownMessage : undefined;
  }

  /** Ends the node's pods in order. */
  shutDown(): Promise<void> {
    return this.#shutdown.run();
  }

  /** Why a node in this state does not take the pod. */
  admit(pod: corev1.Pod): Refusal | undefined {
    return this.#shutdown.admit() ?? admitUnderPressure(pod, this.conditions);
  }

  /** Pods have come, gone or changed. */
  podsChanged(): void {
    this.#cgroups?.podsChanged();
  }

  /** Until the signal. Resolves when the first look has been made: what the node is short of is known. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, events, log } = this.#options;
    const { node, orphanFolders } = this.#given;
    await this.#evictions.synchronize(signal).catch((error) => {
      log.warn({ error: String(error) }, "looking for pressure on the node failed");
    });
    void this.#evictions.run(signal);
    void this.#cgroups?.run(signal);
    const images = isOff(imageGcPolicyOf(this.#options.config)) ? undefined : this.#images;
    const garbage = { clock, log, events, node, orphanFolders, containers: this.#containers, images };
    void collectGarbage(garbage, signal);
    const { config, runtime } = this.#options;
    void new LogRotator({ config, runtime, clock, log }).run(signal);
  }
}

function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
    void promise.then(resolve);
  });
}
