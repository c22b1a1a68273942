import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import type {
  ContainerConfig,
  ContainerStatus,
  Image,
  PodSandboxConfig,
  Runtime,
} from "../../runtime/index.ts";
import type { AttemptInfo } from "../container/labels.ts";
import type { EventSink } from "../events.ts";
import type { ObservedContainer, ProbeVerdict } from "../plan/observation.ts";

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
  messages: TerminationMessages;
  files: PodFiles;
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
  /** An image volume: the image whose root it is. */
  imageId?: string;
}

export interface PodVolumes {
  /** Idempotent; emits FailedMount and rejects when one cannot be mounted. `onRetry`: something it lacked has come. */
  mount(pod: corev1.Pod, signal: AbortSignal, onRetry: () => void): Promise<MountedVolumes>;
  /** The pod's object has changed: what is made from it (downwardAPI) follows. */
  podChanged(pod: corev1.Pod): void;
  unmount(podUid: string): Promise<void>;
  /** Whether something of the pod's volumes is on this node. */
  arePresent(podUid: string): boolean;
}

export interface PodImages {
  /** Pulls by the container's policy, with events. Throws a StartError. */
  ensure(pod: corev1.Pod, container: corev1.Container, signal: AbortSignal): Promise<Image>;
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
