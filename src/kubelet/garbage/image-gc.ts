import type { Clock, Log } from "../../base/index.ts";
import { imagesInUse, type Runtime } from "../../runtime/index.ts";
import type { EventSink, EventTarget } from "../events.ts";
import { messageOf } from "../worker/start-error.ts";
import {
  formatSize,
  type ImageGcPolicy,
  type ImageRecord,
  inRemovalOrder,
  isOfAge,
  shortage,
  tooOld,
} from "./image-plan.ts";

export interface ImageGcOptions {
  policy: ImageGcPolicy;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  events: EventSink;
  node(): EventTarget;
}

/** Removes images that nobody uses. What it remembers of their use is lost with the agent: then all are old. */
export class ImageGc {
  readonly #options: ImageGcOptions;
  readonly #records = new Map<string, ImageRecord>();
  readonly #startedAtMs: number;

  constructor(options: ImageGcOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.monotonicMs();
  }

  /** Takes notice of which images are there and used. `seenAtMs`: since when those that are new have been here. */
  async detect(seenAtMs = this.#options.clock.monotonicMs()): Promise<ReadonlySet<string>> {
    const { clock, runtime } = this.#options;
    const [images, containers] = await Promise.all([runtime.images.list(), runtime.listContainers()]);
    const inUse = imagesInUse(containers);
    const present = new Set(images.map(({ id }) => id));
    for (const id of this.#records.keys()) if (!present.has(id)) this.#records.delete(id);
    for (const { id, pinned = false, sizeBytes } of images) {
      const known = this.#records.get(id);
      this.#records.set(id, {
        id,
        sizeBytes,
        pinned,
        firstSeenAtMs: known?.firstSeenAtMs ?? seenAtMs,
        lastUsedAtMs: inUse.has(id) ? clock.monotonicMs() : (known?.lastUsedAtMs ?? 0),
      });
    }
    return inUse;
  }

  /** By age, and by how full the disk is. @throws Error when not enough could be freed. */
  async collect(): Promise<void> {
    const { clock, events, log, node, policy, runtime } = this.#options;
    const inUse = await this.detect();
    const nowMs = clock.monotonicMs();
    const candidates = inRemovalOrder([...this.#records.values()], inUse);
    const old = tooOld(candidates, policy, { nowMs, startedAtMs: this.#startedAtMs });
    await this.#remove(old, "was not used for too long");

    const { availableBytes, capacityBytes } = await runtime.images.fsUsage();
    if (capacityBytes === 0) {
      const message = "invalid capacity 0 on image filesystem";
      events.event(node(), "Warning", "InvalidDiskCapacity", message);
      throw new Error(message);
    }
    const short = shortage(policy, { availableBytes, capacityBytes });
    if (!short) return;
    log.info(short, "the images' disk is over the high threshold");
    const freedBytes = await this.#free(short.freeBytes);
    if (freedBytes >= short.freeBytes) return;
    const message = `Insufficient free disk space on the node's image filesystem (${short.usedPercent}% of ${formatSize(capacityBytes)} used). Failed to free sufficient space by deleting unused images (freed ${freedBytes} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.`;
    events.event(node(), "Warning", "FreeDiskSpaceFailed", message);
    throw new Error(message);
  }

  /** Every image that nobody uses and that is old enough. */
  async removeUnused(): Promise<void> {
    await this.#free(Number.POSITIVE_INFINITY);
  }

  async #free(wantedBytes: number): Promise<number> {
    const { clock, policy } = this.#options;
    const inUse = await this.detect();
    const nowMs = clock.monotonicMs();
    let freedBytes = 0;
    for (const record of inRemovalOrder([...this.#records.values()], inUse)) {
      if (freedBytes >= wantedBytes) break;
      if (!isOfAge(record, policy, nowMs)) continue;
      freedBytes += await this.#remove([record], "space is needed");
    }
    return freedBytes;
  }

  /** Returns how much went; an image that a container came to use meanwhile stays. */
  async #remove(records: readonly ImageRecord[], why: string): Promise<number> {
    const { log, runtime } = this.#options;
    let freedBytes = 0;
    for (const { id, sizeBytes } of records) {
      try {
        await runtime.images.remove(id);
        log.info({ image: id, why }, "removed an image");
        this.#records.delete(id);
        freedBytes += sizeBytes;
      } catch (error) {
        log.warn({ image: id, error: messageOf(error) }, "an image could not be removed");
      }
    }
    return freedBytes;
  }
}
