import { type Clock, createLifetime, type Log } from "../../../base/index.ts";
import type { ContainerStatus, RuntimeEvent } from "../../contract.ts";
import { isUnimplemented } from "../errors.ts";
import type { CriConnection } from "./connection.ts";
import { containerdTaskEvents } from "./containerd-events.ts";

/** A known container as far as events go. */
type Phase = "new" | "started" | "exited";

export interface EventsOptions {
  connection: CriConnection;
  /** All containers that are this agent's. */
  list(): Promise<Pick<ContainerStatus, "id" | "sandboxId" | "state">[]>;
  clock: Clock;
  log: Log;
}

/** How long an engine may take, after its event, to say the same by its status. */
const settleMsMax = 2_000;
/** With events, looking at everything is only for what they missed; without, it is all there is. As the kubelet's PLEGs. */
const relistMs = { withEvents: 60_000, without: 1_000 };
const reconnectMs = 1_000;

/**
 * Tells what starts and ends, from CRI's GetContainerEvents; where an engine does not have that, from containerd's own
 * events; where it is not containerd, by looking every second. An event is told once, and by what the engine's list
 * says: what a stream says only wakes.
 */
export class RuntimeEvents {
  readonly #options: EventsOptions;
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  readonly #phases = new Map<string, Phase>();
  readonly #stopped = createLifetime();
  #source: "cri" | "containerd" | "list" = "cri";
  #looking: Promise<void> | undefined;
  #isStale = false;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Takes what there is now as told, and goes on from there. */
  async start(): Promise<void> {
    for (const container of await this.#options.list()) this.#phases.set(container.id, phaseOf(container));
    void this.#watch();
    void this.#relist();
  }

  stop(): void {
    this.#stopped.abort();
    this.#listeners.clear();
  }

  onEvent(listener: (event: RuntimeEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something may have changed; calls that come while it is looked at make for one more look. */
  look(): Promise<void> {
    this.#isStale = true;
    this.#looking ??= this.#lookWhileStale().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookWhileStale(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        this.#compare(await this.#options.list());
      } catch (error) {
        this.#options.log.debug({ err: error }, "cannot list containers for their events");
      }
    }
  }

  #compare(containers: readonly Pick<ContainerStatus, "id" | "sandboxId" | "state">[]): void {
    const seen = new Set<string>();
    for (const container of containers) {
      seen.add(container.id);
      const before = this.#phases.get(container.id) ?? "new";
      const now = phaseOf(container);
      this.#phases.set(container.id, now);
      if (now === "new" || now === before) continue;
      if (before === "new") this.#tell("started", container);
      if (now === "exited") this.#tell("exited", container);
    }
    for (const id of this.#phases.keys()) if (!seen.has(id)) this.#phases.delete(id);
  }

  #tell(type: RuntimeEvent["type"], container: { id: string; sandboxId: string }): void {
    for (const listener of this.#listeners)
      listener({ type, containerId: container.id, sandboxId: container.sandboxId });
  }

  async #watch(): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (isUnimplemented(error)) {
          this.#source = this.#source === "cri" ? "containerd" : "list";
          if (this.#source !== "list") continue;
          log.info("the engine has no events: its containers are looked at every second");
          void this.#relist();
          return;
        }
        log.debug({ err: error }, "the engine's events ended");
      }
      await clock.sleep(reconnectMs, signal).catch(() => {});
      if (!signal.aborted) await this.look();
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { connection } = this.#options;
    if (this.#source === "cri") {
      for await (const _ of connection.watch("GetContainerEvents", {}, signal)) void this.look();
      return;
    }
    for await (const id of containerdTaskEvents(connection, signal)) void this.#settle(id);
  }

  /** containerd's CRI takes its own events up beside us: its status may be a moment behind. */
  async #settle(containerId: string): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    const before = this.#phases.get(containerId);
    for (let waitMs = 2; waitMs < settleMsMax; waitMs *= 2) {
      await this.look();
      if (this.#phases.get(containerId) !== before || signal.aborted) return;
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #relist(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    const everyMs = this.#source === "list" ? relistMs.without : relistMs.withEvents;
    for (;;) {
      await clock.sleep(everyMs, signal).catch(() => {});
      if (signal.aborted) return;
      await this.look();
    }
  }
}

function phaseOf({ state }: Pick<ContainerStatus, "state">): Phase {
  switch (state) {
    case "created":
      return "new";
    case "running":
      return "started";
    default:
      return "exited";
  }
}
