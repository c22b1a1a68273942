import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import type {
  ContainerConfig,
  ContainerStatus,
  Image,
  LinuxResources,
  PodSandboxConfig,
  Runtime,
} from "../../runtime/index.ts";
import type { AttemptInfo } from "../container/labels.ts";
import type { EventSink } from "../events.ts";
import type { ObservedContainer, ProbeVerdict } from "../plan/observation.ts";
import type { Actuated } from "../resize/actuated.ts";
import type { Series } from "../stats/exposition.ts";
import type { StartCounts } from "../stats/start-counts.ts";

/** What a pod worker asks of the rest of the agent. */
export interface PodServices {
  clock: Clock;
  log: Log;
  runtime: Runtime;
  events: EventSink;
  volumes: PodVolumes;
  images: PodImages;
  configs: PodConfigs;
  probes: PodProbes;
  hooks: PodHooks;
  statuses: PodStatuses;
  /** Of the node, primary first. */
  hostIps(): readonly string[];
  /** The longest restart back-off. */
  restartBackoffMsMax: number;
  messages: TerminationMessages;
  files: PodFiles;
  resizes: PodResizes;
  counts: StartCounts;
}

/** What the node has given to its pods, where that is not what they were made with. */
export interface PodResizes {
  /** By container id: as last written to its cgroup. */
  actuated(podUid: string, containerId: string): Actuated | undefined;
  /** As last written to the pod's cgroup. */
  podCgroup(podUid: string): LinuxResources | undefined;
  /** Keeps what has come into force. */
  record(
    podUid: string,
    change: { podCgroup?: LinuxResources; containers: Readonly<Record<string, Actuated>> },
    known: ReadonlySet<string>,
  ): void;
  /** Whether something that runs does not have yet what its pod was given. */
  saw(pod: corev1.Pod, progress: "underway" | "done"): void;
  failed(pod: corev1.Pod, error: string): void;
  conditions(podUid: string): readonly corev1.PodCondition[];
}

export interface TerminationMessages {
  /** How an ended container explains its end: the engine's message and its own. */
  of(status: ContainerStatus): Promise<string | undefined>;
  forget(containerId: string): void;
}

/** Mounted volumes by name. */
export type MountedVolumes = ReadonlyMap<string, MountedVolume>;
export interface MountedVolume {
  hostPath: string;
  readOnly: boolean;
  /** A group that every container of the pod is to have, to use it. */
  gid?: number;
  /** Of a block device, which has no path to mount. */
  devicePath?: string;
  /** An image volume: the image whose root it is, once a container that mounts it is being started. */
  imageId?: string;
}

/** What is used of a volume that is not of the node's own disk; what its driver does not say is absent. */
export interface VolumeUsage {
  /** The volume's name in the pod. */
  name: string;
  claim?: { namespace: string; name: string };
  capacityBytes?: number;
  availableBytes?: number;
  usedBytes?: number;
  inodes?: number;
  inodesFree?: number;
  inodesUsed?: number;
}

export interface PodVolumes {
  /**
   * Idempotent; emits FailedMount and rejects when one cannot be mounted, with a {@link PodRejection} where it never
   * will be. `onRetry`: something it lacked has come.
   */
  mount(pod: corev1.Pod, signal: AbortSignal, onRetry: () => void): Promise<MountedVolumes>;
  /** The pod's object has changed: what is made from it (downwardAPI) follows. */
  podChanged(pod: corev1.Pod): void;
  /** Idempotent; rejects when one cannot be taken down. `onRetry`: what that lacked has come. */
  unmount(podUid: string, onRetry: () => void): Promise<void>;
  /** Of the pod's claimed volumes and those of drivers. What cannot be told now is left out. */
  usage(podUid: string): Promise<VolumeUsage[]>;
  /** Whether something of the pod's volumes is on this node. */
  arePresent(podUid: string): boolean;
}

export interface PodImages {
  /** Pulls by the container's policy, with events. Throws a StartError. */
  ensure(pod: corev1.Pod, container: corev1.Container, signal: AbortSignal): Promise<Image>;
  /** The same for the images the container mounts as volumes, by the volume's name. */
  ensureVolumes(
    pod: corev1.Pod,
    container: corev1.Container,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Image>>;
  forget(podUid: string): void;
}

export interface ContainerMade {
  config: ContainerConfig;
  /** Undoes what was made for a container that was not created. */
  discard(): Promise<void>;
}

/** What a container's configuration needs besides the pod's spec. */
export interface ContainerGivens {
  image: Image;
  podIps: readonly string[];
  volumes: MountedVolumes;
  /** An object has come whose absence held the container back. */
  onRetry(): void;
  /** The id of the pod's running container of that name. */
  runningId(name: string): string | undefined;
}

export interface PodConfigs {
  sandbox(pod: corev1.Pod, attempt: number): Promise<PodSandboxConfig>;
  /** Everything a container needs; throws what becomes CreateContainerConfigError. */
  container(
    pod: corev1.Pod,
    container: corev1.Container,
    attempt: AttemptInfo,
    given: ContainerGivens,
  ): Promise<ContainerMade>;
  forget(podUid: string): void;
}

export interface PodProbes {
  /** The containers that run now; probes of others end. `onChange` when a verdict changes. */
  sync(
    pod: corev1.Pod,
    running: readonly ObservedContainer[],
    podIp: string | undefined,
    onChange: () => void,
  ): void;
  verdict(containerId: string): ProbeVerdict | undefined;
  /** How often probes have been tried, by result, as metrics tell it. */
  readonly counts: readonly Series[];
  forget(podUid: string): void;
}

export interface PodHooks {
  /** Resolves, or rejects with a message fit for the pod's status. */
  run(
    pod: corev1.Pod,
    container: corev1.Container,
    containerId: string,
    handler: corev1.LifecycleHandler,
    podIp: string | undefined,
    signal: AbortSignal,
  ): Promise<void>;
}

export interface PodStatuses {
  /** The newest status; written soon, and never older than one written before. */
  set(pod: corev1.Pod, status: corev1.PodStatus): void;
  /** Once the last status set is with the API (or the pod is gone there). */
  flushed(podUid: string): Promise<void>;
  /** Removes the object of a pod that has ended. */
  deletePod(pod: corev1.Pod): Promise<void>;
  forget(podUid: string): void;
  /** How often containers have ended, as metrics tell it. */
  readonly containerEnds: readonly Series[];
}

/** The pod's folders on this node. */
export interface PodFiles {
  prepare(pod: corev1.Pod): Promise<void>;
  removeContainerLog(logPath: string): Promise<void>;
  remove(pod: corev1.Pod): Promise<void>;
  /** Marks that survive the agent: a hook that has been run. */
  mark(pod: corev1.Pod, name: string): Promise<void>;
  isMarked(pod: corev1.Pod, name: string): boolean;
}
