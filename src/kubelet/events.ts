import type { corev1 } from "../api/index.ts";
import { fieldPathOf } from "./worker/start-error.ts";

/** What an event is about. */
export interface EventTarget {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name: string;
  uid?: string;
  resourceVersion?: string;
  fieldPath?: string;
}

/** Where events go; never fails and never waits. */
export interface EventSink {
  event(target: EventTarget, type: "Normal" | "Warning", reason: EventReason, message: string): void;
  /** With something for programs to read. */
  annotatedEvent(
    target: EventTarget,
    annotations: Readonly<Record<string, string>>,
    type: "Normal" | "Warning",
    reason: EventReason,
    message: string,
  ): void;
}

/** The reasons this agent gives. As `pkg/kubelet/events`. */
export type EventReason =
  | "Pulling"
  | "Pulled"
  | "Failed"
  | "InspectFailed"
  | "ErrImageNeverPull"
  | "BackOff"
  | "Created"
  | "Started"
  | "Killing"
  | "Unhealthy"
  | "ProbeWarning"
  | "FailedMount"
  | "FailedCreatePodSandBox"
  | "SandboxChanged"
  | "FailedKillPod"
  | "FailedPostStartHook"
  | "FailedPreStopHook"
  | "FailedToRetrieveImagePullSecret"
  | "DNSConfigForming"
  | "DeadlineExceeded"
  | "NetworkNotReady"
  | "Starting"
  | "NodeReady"
  | "NodeNotReady"
  | "Evicted"
  | "EvictionThresholdMet"
  | "NodeShutdown"
  | "ImageGCFailed"
  | "FreeDiskSpaceFailed"
  | "ContainerGCFailed"
  | "FailedNodeAllocatableEnforcement"
  | "NodeAllocatableEnforced"
  // Why admission on the node refused a pod.
  | (string & {});

export function claimTarget({ metadata }: corev1.PersistentVolumeClaim): EventTarget {
  const { namespace, name, uid, resourceVersion } = metadata;
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: name!, uid, resourceVersion };
}

export function podTarget(pod: corev1.Pod, container?: string): EventTarget {
  const { namespace, name, uid, resourceVersion } = pod.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    namespace,
    name: name!,
    uid,
    resourceVersion,
    ...(container !== undefined && { fieldPath: fieldPathOf(pod, container) }),
  };
}
