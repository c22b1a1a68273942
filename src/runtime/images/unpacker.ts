import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock, Timer } from "../../base/index.ts";
import type { UnpackJob, UnpackResult } from "./unpack-job.ts";

/** One decompresses while the other writes; more would only fight over the disk. */
const processesMax = 2;
/** The layers of one image follow each other closely; after that the process's memory is better given back. */
const idleKeptMs = 3_000;
const messageLengthMax = 1000;

/** Unpacks layers in child processes that are kept for the next layer, and let go when idle. */
export class Unpacker {
  readonly #clock: Clock;
  readonly #idle: { child: ChildProcess; timer: Timer }[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: { clock: Clock }) {
    this.#clock = options.clock;
  }

  /** Never rejects but for the signal: what goes wrong is in the result. Whatever `target` holds then is the caller's to remove. */
  async unpack(job: UnpackJob, signal?: AbortSignal): Promise<UnpackResult> {
    while (this.#running >= processesMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
    try {
      signal?.throwIfAborted();
      return await this.#run(job, signal);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    for (const { child, timer } of this.#idle.splice(0)) {
      timer.cancel();
      child.kill("SIGKILL");
    }
  }

  #run(job: UnpackJob, signal: AbortSignal | undefined): Promise<UnpackResult> {
    const child = this.#takeIdle() ?? start();
    child.ref();
    child.channel?.ref();
    let stderr = "";
    const onStderr = (piece: Buffer) => {
      stderr = (stderr + piece).slice(-messageLengthMax);
    };
    return new Promise<UnpackResult>((resolve, reject) => {
      const settle = (act: () => void) => {
        child.off("message", onMessage).off("exit", onExit).off("error", onError);
        child.stderr!.off("data", onStderr);
        signal?.removeEventListener("abort", onAbort);
        act();
      };
      const onMessage = (result: UnpackResult | "ready") => {
        if (result === "ready") return;
        settle(() => {
          this.#keep(child);
          resolve(result);
        });
      };
      const onExit = (code: number | null, killedBy: string | null) =>
        settle(() =>
          resolve({
            outcome: "failed",
            message: `the unpacking process ended (${killedBy ?? code}) ${stderr}`.trim(),
          }),
        );
      const onError = (error: Error) =>
        settle(() => {
          child.kill("SIGKILL");
          resolve({ outcome: "failed", message: error.message });
        });
      const onAbort = () => {
        // Only once it is gone does nothing write into the target any more.
        child.off("exit", onExit).off("message", onMessage);
        child.once("exit", () => settle(() => reject(signal!.reason)));
        child.kill("SIGKILL");
      };
      child.on("message", onMessage).on("exit", onExit).on("error", onError);
      child.stderr!.on("data", onStderr);
      signal?.addEventListener("abort", onAbort, { once: true });
      child.send(job, (error) => error && onError(error));
    });
  }

  #takeIdle(): ChildProcess | undefined {
    for (let kept = this.#idle.pop(); kept; kept = this.#idle.pop()) {
      kept.timer.cancel();
      if (kept.child.connected) return kept.child;
    }
    return undefined;
  }

  #keep(child: ChildProcess): void {
    child.unref();
    child.channel?.unref();
    const timer = this.#clock.after(idleKeptMs, () => {
      const index = this.#idle.findIndex((kept) => kept.child === child);
      if (index >= 0) this.#idle.splice(index, 1);
      child.kill("SIGKILL");
    });
    this.#idle.push({ child, timer });
  }
}

function start(): ChildProcess {
  const child = spawn(process.execPath, program(), { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  (child.stderr as unknown as { unref(): void }).unref();
  return child;
}

/** From a checkout, the source beside this file; from a bundle, the entry beside it or above its chunks. */
function program(): string[] {
  const here = fileURLToPath(import.meta.url);
  if (here.endsWith(".ts"))
    return ["--import", import.meta.resolve("tsx"), join(dirname(here), "unpack-layer.ts")];
  const beside = join(dirname(here), "unpack-layer.js");
  return [existsSync(beside) ? beside : join(dirname(here), "..", "unpack-layer.js")];
}
