import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { replaceFile } from "../../base/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import type { Actuated } from "./actuated.ts";
import type { PodAllocation } from "./allocation.ts";

/** What of a pod's resizes outlives the agent. A pod that was never resized has none: its sandbox says what it got. */
export interface ResizeState {
  allocation: PodAllocation;
  /** As last written to the pod's cgroup. */
  podCgroup?: LinuxResources;
  /** By container id, where it is not what the container was made with. */
  containers: Readonly<Record<string, Actuated>>;
}

/** A file a pod, in its folder, so that it goes with it. */
export class ResizeFiles {
  readonly #podsDir: string;

  constructor(podsDir: string) {
    this.#podsDir = podsDir;
  }

  /** Undefined where there is none, or none that can be read. */
  load(podUid: string): ResizeState | undefined {
    try {
      const state = JSON.parse(readFileSync(this.#path(podUid), "utf8")) as ResizeState;
      return typeof state?.allocation?.containers === "object" ? state : undefined;
    } catch {
      return undefined;
    }
  }

  /** Small and seldom: it is there before anything is done by it. */
  save(podUid: string, state: ResizeState): void {
    const path = this.#path(podUid);
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    replaceFile(path, JSON.stringify(state), { mode: 0o600 });
  }

  #path(podUid: string): string {
    return join(this.#podsDir, podUid, "resize.json");
  }
}
