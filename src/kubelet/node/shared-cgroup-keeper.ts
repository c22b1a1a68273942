import { isDeepStrictEqual } from "node:util";
import type { corev1 } from "../../api/index.ts";
import type { Clock, Log, Timer } from "../../base/index.ts";
import type { SharedCgroups } from "../../runtime/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import type { EventSink, EventTarget } from "../events.ts";
import { Pause } from "../pause.ts";
import { messageOf } from "../worker/start-error.ts";
import type { MachineSize } from "./capacity.ts";
import { type SharedLimit, sharedLimits } from "./shared-limits.ts";

/** As upstream's: what others have changed is put right again. */
const againEveryMs = 60_000;
/** Many pods at once are counted once: the weight of a class matters where processors are short, not at once. */
const changeSettlesMs = 50;

export interface SharedCgroupKeeperOptions {
  cgroups: SharedCgroups;
  machine: MachineSize & { pidsMax: number };
  config: KubeletConfig;
  clock: Clock;
  log: Log;
  events: EventSink;
  node(): EventTarget;
  activePods(): readonly corev1.Pod[];
}

/** Keeps the cgroups that pods share as the node's settings and the pods' requests say. */
export class SharedCgroupKeeper {
  readonly #options: SharedCgroupKeeperOptions;
  readonly #pause: Pause;
  #written: readonly SharedLimit[] = [];
  #hasTold = false;
  #soon: Timer | undefined;

  constructor(options: SharedCgroupKeeperOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
  }

  /** Pods have come, gone or changed. */
  podsChanged(): void {
    this.#soon ??= this.#options.clock.after(changeSettlesMs, () => {
      this.#soon = undefined;
      const { activePods, config, machine } = this.#options;
      if (!isDeepStrictEqual(sharedLimits(machine, config, activePods()), this.#written)) this.#pause.wake();
    });
  }

  /** Until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.enforce();
      await this.#pause.take(againEveryMs, signal);
    }
  }

  async enforce(): Promise<void> {
    const { activePods, cgroups, config, events, log, machine, node } = this.#options;
    const limits = sharedLimits(machine, config, activePods());
    try {
      for (const { cgroup, resources } of limits) await cgroups.limit(cgroup, resources);
      this.#written = limits;
      if (this.#hasTold) return;
      this.#hasTold = true;
      const message = "Updated Node Allocatable limit across pods";
      events.event(node(), "Normal", "NodeAllocatableEnforced", message);
    } catch (error) {
      const message = `Failed to update Node Allocatable Limits ["kubepods"]: ${messageOf(error)}`;
      log.warn({ error: messageOf(error) }, "the cgroups that pods share could not be limited");
      events.event(node(), "Warning", "FailedNodeAllocatableEnforcement", message);
    }
  }
}
