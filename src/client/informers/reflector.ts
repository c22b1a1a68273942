import type { Clock, Log, Random } from "../../base/index.ts";
import {
  type GroupVersionResource,
  isStatus,
  type KubeList,
  type KubeObject,
} from "../../machinery/index.ts";
import { resourceName } from "../resources.ts";
import type { ObjectRef, Transport, WatchEvent } from "../transport.ts";

/** Doubles for each failure in a row, with up to as much again at random. */
export const backoffInitialMs = 100;
/** As client-go's reflector. */
export const backoffMaxMs = 30_000;
/** A watch that ends sooner than this without a word counts as a failure. */
const watchMsMin = 1_000;
/** A watch that lasted this long was one that worked, however it ended: what failed before it is over. */
const workingMsMin = 5_000;

export interface Selection {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ReflectorOptions {
  transport: Transport;
  resource: GroupVersionResource;
  selection: Selection;
  clock: Clock;
  random: Random;
  log: Log;
  /** The whole state. */
  replace(items: readonly ObjectRef[]): Promise<void>;
  /** What happened since. */
  apply(events: readonly WatchEvent<any>[]): void;
}

/** How a watch ended. */
type WatchEnd = { how: "ended" | "expired" } | { how: "failed"; error: Error };

/**
 * Lists, then watches, for ever; lists again when the server no longer knows where the watch stood.
 * Counterpart upstream: client-go's `tools/cache.Reflector`.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #log: Log;
  /** Where the copy stands. Empty: the newest state is asked for, since an older one has proved too old. */
  #resourceVersion = "0";
  #failures = 0;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#log = options.log.child({ resource: resourceName(options.resource) });
  }

  /** Resolves once the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#list(signal);
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isStatus(error, "Expired") || isStatus(error, "Gone")) this.#resourceVersion = "";
        this.#log.warn({ err: error }, "list failed");
        await this.#pause(signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { transport, resource, selection, replace } = this.#options;
    const { namespace, ...selectors } = selection;
    const result = await transport.request({
      verb: "list",
      resource,
      namespace,
      options: { ...selectors, resourceVersion: this.#resourceVersion },
      signal,
    });
    const list: KubeList = result.object;
    const { apiVersion, kind } = list;
    await replace(result.items ?? list.items.map((item) => ({ object: withKind(item, apiVersion, kind) })));
    this.#resourceVersion = list.metadata.resourceVersion ?? "";
    this.#failures = 0;
  }

  /** Watches until a new list is needed. */
  async #follow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      const startedAt = this.#resourceVersion;
      const end = await this.#watch(signal);
      if (signal.aborted) return;
      if (end.how === "expired") {
        this.#resourceVersion = "";
        this.#log.debug("watch expired, listing again");
        // The first time at once: only a server that keeps forgetting makes it wait.
        if (this.#failures++ > 0) await this.#pause(signal);
        return;
      }
      if (end.how === "failed") this.#log.debug({ err: end.error }, "watch failed");
      const lastedMs = clock.monotonicMs() - startMs;
      const hasTold = this.#resourceVersion !== startedAt;
      const isFruitless = !hasTold && lastedMs < watchMsMin;
      const hasFailed = end.how === "failed" || isFruitless;
      if (!hasFailed || hasTold || lastedMs >= workingMsMin) this.#failures = 0;
      if (hasFailed) await this.#pause(signal);
    }
  }

  #watch(signal: AbortSignal): Promise<WatchEnd> {
    const { transport, resource, selection, apply } = this.#options;
    return new Promise((resolve) => {
      let isOver = false;
      const finish = (end: WatchEnd) => {
        if (isOver) return;
        isOver = true;
        signal.removeEventListener("abort", onAbort);
        resolve(end);
      };
      const watch = transport.watch(
        { ...selection, resource, resourceVersion: this.#resourceVersion, allowWatchBookmarks: true },
        {
          onEvents: (events) => {
            if (isOver) return;
            apply(events);
            const last = events.at(-1)!.object as KubeObject;
            this.#resourceVersion = last.metadata.resourceVersion ?? this.#resourceVersion;
          },
          onClose: (error) => {
            if (error === undefined) finish({ how: "ended" });
            else if (isStatus(error, "Expired") || isStatus(error, "Gone")) finish({ how: "expired" });
            else finish({ how: "failed", error });
          },
        },
      );
      const onAbort = () => {
        watch.close();
        finish({ how: "ended" });
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const baseMs = Math.min(backoffInitialMs * 2 ** this.#failures++, backoffMaxMs);
    const delayMs = baseMs * (1 + this.#options.random.fraction());
    await this.#options.clock.sleep(delayMs, signal).catch(() => {});
  }
}

/** Items of a list may come without their kind, which the list's own names. */
function withKind(item: KubeObject, listApiVersion: string, listKind: string): KubeObject {
  if (item.kind !== undefined || !listKind?.endsWith("List")) return item;
  return Object.freeze({ ...item, apiVersion: listApiVersion, kind: listKind.slice(0, -"List".length) });
}
