import type { PodSandboxStatus, Runtime } from "../../runtime/index.ts";
import { podUidLabel } from "../container/labels.ts";
import type { PodWorker } from "../worker/pod-worker.ts";

export interface ContainerGcOptions {
  runtime: Runtime;
  worker(uid: string): PodWorker | undefined;
}

/** Removes what is left in the engine of pods that are over or gone. */
export class ContainerGc {
  readonly #options: ContainerGcOptions;

  constructor(options: ContainerGcOptions) {
    this.#options = options;
  }

  /** Of pods that nobody here looks after. */
  async collect(): Promise<void> {
    const { runtime, worker } = this.#options;
    const ownerless = (await runtime.listPodSandboxes()).filter((sandbox) => !worker(ownerOf(sandbox)));
    await this.#removeAll(ownerless);
  }

  /** Of pods that are over, too, which may have been kept to be looked at. As DeleteAllUnusedContainers. */
  async removeUnused(): Promise<void> {
    const { runtime, worker } = this.#options;
    const sandboxes = await runtime.listPodSandboxes();
    const over = sandboxes.filter((sandbox) => {
      const owner = worker(ownerOf(sandbox));
      return !owner || (owner.isOver && sandbox.state === "notReady");
    });
    await this.#removeAll(over);
    for (const sandbox of over) worker(ownerOf(sandbox))?.wake();
  }

  async #removeAll(sandboxes: readonly PodSandboxStatus[]): Promise<void> {
    const results = await Promise.allSettled(
      sandboxes.map(({ id }) => this.#options.runtime.removePodSandbox(id)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
  }
}

const ownerOf = ({ labels, metadata }: PodSandboxStatus) => labels[podUidLabel] ?? metadata.uid;
