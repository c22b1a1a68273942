import type { corev1 } from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import type { Actuated } from "../resize/actuated.ts";
import type { PodAllocation } from "../resize/allocation.ts";

/** One attempt of one container, as the engine tells it. */
export interface ObservedContainer {
  id: string;
  /** Whose id it is, where that is not Peapod's own engine. */
  engine?: string;
  sandboxId: string;
  name: string;
  /** The restart count at which it was made. */
  attempt: number;
  state: "created" | "running" | "exited" | "unknown";
  createdAtMs: number;
  startedAtMs?: number;
  finishedAtMs?: number;
  exitCode?: number;
  reason?: string;
  /** Of the engine, then of the container itself (its termination message). */
  message?: string;
  imageName: string;
  imageId: string;
  imageRef: string;
  /** Of the spec it was made from; another hash in the pod's spec means it must be replaced. */
  specHash: string;
  /** The restart back-off that was in force when it was made; 0 for a first attempt. */
  backoffMs: number;
  /** When the attempt before it ended. */
  previousFinishedAtMs?: number;
  logPath: string;
  /** Where it has mounts that are read-only with all below them. */
  recursivelyReadOnly?: readonly string[];
  /** The resources in force; absent where the agent that made it did not say. */
  actuated?: Actuated;
  user?: { uid: number; gid: number; supplementalGroups: number[] };
}

export interface ObservedSandbox {
  id: string;
  attempt: number;
  state: "ready" | "notReady";
  createdAtMs: number;
  ips: string[];
  hostNetwork: boolean;
  /** What its pod was given when it was made; absent where the agent that made it did not say. */
  allocation?: PodAllocation;
}

/** What the probes of one running container say so far. Absent: has no such probe, or has not been run. */
export interface ProbeVerdict {
  startup?: "success" | "failure";
  liveness?: "success" | "failure";
  readiness?: "success" | "failure";
}

/** Why the last attempt to start a container came to nothing, and when to try again. */
export interface StartFailure {
  reason: string;
  message: string;
  retryAtMs: number;
}

/**
 * All that a plan is made from. Sandboxes and containers are the engine's (newest first); nothing in it is needed
 * after a restart of the agent but what the engine, the disk and the API's status say.
 */
export interface PodObservation {
  sandboxes: readonly ObservedSandbox[];
  containers: readonly ObservedContainer[];
  volumes: "unmounted" | "mounted";
  probes: ReadonlyMap<string, ProbeVerdict>;
  failures: ReadonlyMap<string, StartFailure>;
  /** When creating the sandbox may be tried again. */
  sandboxRetryAtMs?: number;
  /** When mounting the volumes may be tried again. */
  volumesRetryAtMs?: number;
  /** When taking the volumes down may be tried again. */
  unmountRetryAtMs?: number;
  /** Containers whose image is present, or being pulled, for the start to come. */
  imagesAhead: ReadonlySet<string>;
  /**
   * Containers the agent killed so as to restart them, whatever they end with: their back-off counts from the attempt
   * before.
   */
  killedForRestart: ReadonlySet<string>;
  /** Steps being performed, by {@link keyOfStep}. */
  underway: ReadonlySet<string>;
  /** The pod's phase as last computed. */
  phase: string;
  /** The restart counts of the next attempts by the pod's status, for containers the engine has forgotten. */
  nextAttempts: ReadonlyMap<string, number>;
  /** The longest restart back-off of this node. */
  restartBackoffMsMax: number;
  /** When the agent first saw the pod (`status.startTime`). */
  startTimeMs?: number;
  /** What the pod's cgroup says; absent without a sandbox. */
  podCgroup?: LinuxResources;
  /** When a resize that failed may be tried again. */
  resizeRetryAtMs?: number;
  /** What is told of the pod's resize. */
  resizeConditions?: readonly corev1.PodCondition[];
}

/** The newest attempt of a container. */
export function newest(observed: PodObservation, name: string): ObservedContainer | undefined {
  return observed.containers.find((container) => container.name === name);
}

/** Its last ended attempt. */
export function newestExited(observed: PodObservation, name: string): ObservedContainer | undefined {
  return observed.containers.find((container) => container.name === name && container.state === "exited");
}
