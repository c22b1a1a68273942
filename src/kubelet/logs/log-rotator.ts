import { createReadStream, createWriteStream } from "node:fs";
import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createGzip } from "node:zlib";
import type { Clock, Log } from "../../base/index.ts";
import type { ContainerStatus, Runtime } from "../../runtime/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { Pause } from "../pause.ts";
import { messageOf } from "../worker/start-error.ts";
import { compressedName, rotatedName, rotationPlan, temporaryName } from "./rotation-plan.ts";

/**
 * A container that talks much is not to cost its node a core: the quickest level takes a third of the usual one's time,
 * and pieces of this size a small part of the event loop's turns.
 */
const compression = { level: constants.Z_BEST_SPEED, chunkSize: 256 * 1_024 } as const;

export interface LogRotatorOptions {
  config: KubeletConfig;
  runtime: Runtime;
  clock: Clock;
  log: Log;
}

/**
 * Keeps the logs of running containers from filling the disk: one that has grown too large is renamed, and the engine
 * goes on in a new file; older ones are compressed, the oldest removed.
 */
export class LogRotator {
  readonly #options: LogRotatorOptions;

  constructor(options: LogRotatorOptions) {
    this.#options = options;
  }

  /** Looks at intervals until the signal: a log grows without anybody being told. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, log } = this.#options;
    const pause = new Pause(clock);
    while (!signal.aborted) {
      await pause.take(config.containerLogMonitorInterval.ms, signal);
      if (signal.aborted) return;
      await this.rotateAll().catch((error) =>
        log.warn({ error: messageOf(error) }, "looking at containers' logs failed"),
      );
    }
  }

  /** Every log that is too large now. */
  async rotateAll(): Promise<void> {
    const { config, runtime } = this.#options;
    const containers = (await runtime.listContainers()).filter(({ state }) => state === "running");
    const workers = Array.from({ length: config.containerLogMaxWorkers }, async () => {
      for (let next = containers.pop(); next; next = containers.pop()) await this.#look(next);
    });
    await Promise.all(workers);
  }

  async #look({ id, logPath }: ContainerStatus): Promise<void> {
    const { config, log, runtime } = this.#options;
    try {
      const info = await stat(logPath).catch(() => undefined);
      // Someone took it away, or an earlier agent ended between two steps.
      if (!info) await runtime.reopenContainerLog(id);
      else if (info.size >= config.containerLogMaxSize.value()) await this.#rotate(id, logPath);
    } catch (error) {
      log.warn({ containerId: id, logPath, error: messageOf(error) }, "a container's log was not rotated");
    }
  }

  async #rotate(containerId: string, logPath: string): Promise<void> {
    const { clock, config, runtime } = this.#options;
    const folder = dirname(logPath);
    const newest = basename(logPath);
    const older = (await readdir(folder)).filter((name) => name.startsWith(`${newest}.`));
    const plan = rotationPlan(older, config.containerLogMaxFiles);
    for (const name of plan.remove) await rm(join(folder, name), { force: true });
    for (const name of plan.compress) await compress(folder, name);
    const rotated = join(folder, rotatedName(newest, clock.now()));
    await rename(logPath, rotated);
    try {
      await runtime.reopenContainerLog(containerId);
    } catch (error) {
      // It goes on in the old file, which is tried again at the next look.
      await rename(rotated, logPath);
      throw error;
    }
  }
}

/** Whole or not at all: what is half done has another name. */
async function compress(folder: string, name: string): Promise<void> {
  const source = join(folder, name);
  const temporary = join(folder, temporaryName(name));
  const { mode } = await stat(source);
  try {
    const reading = createReadStream(source, { highWaterMark: compression.chunkSize });
    await pipeline(reading, createGzip(compression), createWriteStream(temporary, { mode }));
    await rename(temporary, join(folder, compressedName(name)));
  } finally {
    await rm(temporary, { force: true });
  }
  await rm(source);
}
