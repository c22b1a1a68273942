import type { corev1 } from "../../api/index.ts";
import type { EvictionSignal } from "../config/thresholds.ts";

/** How much of something is left, of how much. */
export interface Observation {
  available: number;
  capacity: number;
  /** When it was measured, on the clock that never goes back. */
  atMs: number;
}

export type Observations = ReadonlyMap<EvictionSignal, Observation>;

export interface DiskUse {
  bytes: number;
  inodes: number;
}

export interface ContainerUse {
  memoryBytes?: number;
  /** What it has written beside its image. */
  root?: DiskUse;
  logs?: DiskUse;
}

/** What a pod uses, as far as it is known. */
export interface PodUse {
  memoryBytes?: number;
  processes?: number;
  containers: ReadonlyMap<string, ContainerUse>;
  /** Of the volumes that take the node's own disk. */
  volumes: ReadonlyMap<string, DiskUse>;
}

/** Pods by uid. */
export type PodUses = ReadonlyMap<string, PodUse>;

/** Which file systems are one. */
export interface DiskLayout {
  /** Images are on another file system than the pods' folders. */
  imageFs: "shared" | "dedicated";
}

/** Where usage is read: the kernel, or a test's table. */
export interface UsageSource {
  diskLayout(): Promise<DiskLayout>;
  observations(): Promise<Observations>;
  /** `disk`: also what takes a walk through files. */
  podUses(
    pods: readonly corev1.Pod[],
    what: { memory: boolean; disk: "none" | "limited" | "all" },
  ): Promise<PodUses>;
}
