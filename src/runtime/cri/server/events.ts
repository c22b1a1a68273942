import type { Clock, Log } from "../../../base/index.ts";
import type { Runtime } from "../../contract.ts";
import { containerStatusToCri, sandboxStatusToCri, toNs } from "../translate/index.ts";
import type { Message, Sparse } from "../wire/index.ts";

type Event = Sparse<"ContainerEventResponse">;
type EventType = Message<"ContainerEventResponse">["containerEventType"];

/** For a client that reads more slowly than containers come and go; past it its oldest are lost, and it is told to look. */
const backlogMax = 1000;

/** Tells every client of GetContainerEvents what happens to containers, with the state of their pod. */
export class ContainerEvents {
  readonly #runtime: Runtime;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<(event: Event) => void>();
  readonly #stop: () => void;

  constructor(options: { runtime: Runtime; clock: Clock; log: Log }) {
    this.#runtime = options.runtime;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#stop = options.runtime.onEvent(({ type, containerId, sandboxId }) =>
      this.#tell(
        type === "started" ? "CONTAINER_STARTED_EVENT" : "CONTAINER_STOPPED_EVENT",
        containerId,
        sandboxId,
      ),
    );
  }

  close(): void {
    this.#stop();
  }

  created(containerId: string, sandboxId: string): void {
    this.#tell("CONTAINER_CREATED_EVENT", containerId, sandboxId);
  }

  deleted(containerId: string, sandboxId: string): void {
    this.#tell("CONTAINER_DELETED_EVENT", containerId, sandboxId);
  }

  /** From now on, until the signal. */
  async *watch(signal: AbortSignal): AsyncGenerator<Event> {
    const backlog: Event[] = [];
    let wake = () => {};
    const listener = (event: Event) => {
      if (backlog.length >= backlogMax) {
        backlog.shift();
        this.#log.warn("a client of GetContainerEvents is too slow: events were dropped");
      }
      backlog.push(event);
      wake();
    };
    const onAbort = () => wake();
    this.#listeners.add(listener);
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const next = backlog.shift();
        if (next) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", onAbort);
    }
  }

  #tell(type: EventType, containerId: string, sandboxId: string): void {
    if (this.#listeners.size === 0) return;
    const createdAt = toNs(this.#clock.now());
    void this.#stateOf(sandboxId).then((state) => {
      for (const listener of this.#listeners)
        listener({ containerId, containerEventType: type, createdAt, ...state });
    });
  }

  async #stateOf(sandboxId: string): Promise<Event> {
    try {
      const [sandbox, containers] = await Promise.all([
        this.#runtime.podSandboxStatus(sandboxId),
        this.#runtime.listContainers({ sandboxId }),
      ]);
      return {
        ...(sandbox && { podSandboxStatus: sandboxStatusToCri(sandbox) }),
        containersStatuses: containers.map(containerStatusToCri),
      };
    } catch (error) {
      // The event alone makes the client look.
      this.#log.debug({ err: error, sandboxId }, "an event without its pod's state");
      return {};
    }
  }
}
