import type { Clock, Log } from "../../base/index.ts";
import type { EventSink, EventTarget } from "../events.ts";
import { Pause } from "../pause.ts";
import { messageOf } from "../worker/start-error.ts";
import type { ContainerGc } from "./container-gc.ts";
import type { ImageGc } from "./image-gc.ts";

/** As upstream's ContainerGCPeriod and ImageGCPeriod. */
const containersEveryMs = 60_000;
const imagesEveryMs = 300_000;

export interface CollectorOptions {
  clock: Clock;
  log: Log;
  events: EventSink;
  node(): EventTarget;
  containers: ContainerGc;
  /** Absent: image garbage collection is switched off. */
  images: ImageGc | undefined;
  /** Folders of pods that are neither here nor with the API. */
  orphanFolders(): Promise<void>;
}

/** Collects garbage until the signal. A failure is told and the next round tries again. */
export async function collectGarbage(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([collectContainers(options, signal), collectImages(options, signal)]);
}

async function collectContainers(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { clock, containers, events, log, node, orphanFolders } = options;
  const pause = new Pause(clock);
  while (!signal.aborted) {
    await pause.take(containersEveryMs, signal);
    if (signal.aborted) return;
    try {
      await containers.collect();
      await orphanFolders();
    } catch (error) {
      log.warn({ error: messageOf(error) }, "container garbage collection failed");
      events.event(node(), "Warning", "ContainerGCFailed", messageOf(error));
    }
  }
}

async function collectImages(options: CollectorOptions, signal: AbortSignal): Promise<void> {
  const { clock, events, images, log, node } = options;
  if (!images) return;
  const pause = new Pause(clock);
  let failures = 0;
  // What is here before the agent has been here for ever.
  await images.detect(Number.NEGATIVE_INFINITY).catch(() => {});
  while (!signal.aborted) {
    await pause.take(imagesEveryMs, signal);
    if (signal.aborted) return;
    try {
      await images.collect();
      failures = 0;
    } catch (error) {
      log.warn({ error: messageOf(error) }, "image garbage collection failed");
      // As upstream: only repeated failures are worth an event.
      if (++failures > 1) events.event(node(), "Warning", "ImageGCFailed", messageOf(error));
    }
  }
}
