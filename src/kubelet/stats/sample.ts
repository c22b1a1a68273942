import type { corev1 } from "../../api/index.ts";
import type { CgroupUsage, DiskUsage, InterfaceStats } from "../../runtime/index.ts";
import type { VolumeUsage } from "../worker/services.ts";

/** What something used up to a moment. */
export interface Usage extends CgroupUsage {
  /** On the wall's clock. */
  atMs: number;
  /** Of the time between this look and the one before; absent where nobody asked for it. */
  usageNanoCores?: number;
}

/** What this machine and all that runs on it uses. */
export interface NodeSample {
  atMs: number;
  /** Between the two looks that rates are made from. */
  windowMs?: number;
  node: Usage & {
    memoryAvailableBytes: number;
    startedAtMs: number;
    interfaces: InterfaceStats[];
    /** How many there can be. */
    processesMax: number;
  };
  /** The agent's own process. */
  kubelet: Usage & { startedAtMs: number };
  pods: readonly PodSample[];
}

export interface PodSample {
  /** As it runs here. */
  pod: corev1.Pod;
  startedAtMs: number;
  usage?: Usage;
  interfaces?: InterfaceStats[];
  containers: readonly ContainerSample[];
}

/** A container that runs. */
export interface ContainerSample {
  id: string;
  name: string;
  image: string;
  spec: corev1.Container;
  startedAtMs: number;
  logPath: string;
  usage: Usage;
}

/** A filesystem as a whole. */
export interface FsSize {
  capacityBytes: number;
  availableBytes: number;
  inodes: number;
  inodesFree: number;
}

/** What lies on the disk; measured seldom, since it takes a walk through files. */
export interface DiskSample {
  atMs: number;
  nodeFs: FsSize;
  imageFs: FsSize & { usedBytes: number };
  /** By container id. */
  roots: ReadonlyMap<string, DiskUsage>;
  logs: ReadonlyMap<string, DiskUsage>;
  /** By pod uid, then volume. */
  volumes: ReadonlyMap<string, ReadonlyMap<string, DiskUsage>>;
  /** Volumes that are elsewhere: claims' and drivers'. By pod uid. */
  mounted: ReadonlyMap<string, readonly VolumeUsage[]>;
}
