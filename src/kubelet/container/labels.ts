import type { corev1 } from "../../api/index.ts";
import type { ContainerStatus, PodSandboxStatus } from "../../runtime/index.ts";
import type { ObservedContainer, ObservedSandbox } from "../plan/observation.ts";
import { specHash } from "../plan/spec-hash.ts";
import { formatActuated, parseActuated, wantedOf } from "../resize/actuated.ts";
import { allocationOf, type PodAllocation } from "../resize/allocation.ts";

/*
 * What a sandbox and a container carry, so that they can be told after a restart of the agent, even when the pod's
 * object is gone. Names as kubelet's.
 */

export const podNameLabel = "io.kubernetes.pod.name";
export const podNamespaceLabel = "io.kubernetes.pod.namespace";
export const podUidLabel = "io.kubernetes.pod.uid";
export const containerNameLabel = "io.kubernetes.container.name";

const hashAnnotation = "io.kubernetes.container.hash";
const restartCountAnnotation = "io.kubernetes.container.restartCount";
const messagePathAnnotation = "io.kubernetes.container.terminationMessagePath";
const messagePolicyAnnotation = "io.kubernetes.container.terminationMessagePolicy";
const preStopAnnotation = "io.kubernetes.container.preStopHandler";
const graceAnnotation = "io.kubernetes.pod.terminationGracePeriod";
const portsAnnotation = "io.kubernetes.container.ports";
/** Peapod's own: the restart back-off in force, and when the attempt before ended. */
const backoffAnnotation = "peapod.io/restart-backoff-ms";
const previousEndAnnotation = "peapod.io/previous-finished-at-ms";
const hostNetworkAnnotation = "peapod.io/host-network";
/** What a container was started with, and what its pod was given then. */
const resourcesAnnotation = "peapod.io/resources";
const allocationAnnotation = "peapod.io/allocation";

export function sandboxLabels({ metadata }: corev1.Pod): Record<string, string> {
  return {
    ...metadata.labels,
    [podNameLabel]: metadata.name!,
    [podNamespaceLabel]: metadata.namespace!,
    [podUidLabel]: metadata.uid!,
  };
}

export function sandboxAnnotations(pod: corev1.Pod): Record<string, string> {
  return {
    ...pod.metadata.annotations,
    ...(pod.spec!.hostNetwork && { [hostNetworkAnnotation]: "true" }),
    [allocationAnnotation]: JSON.stringify(allocationOf(pod)),
  };
}

export function containerLabels(
  { metadata }: corev1.Pod,
  container: corev1.Container,
): Record<string, string> {
  return {
    [podNameLabel]: metadata.name!,
    [podNamespaceLabel]: metadata.namespace!,
    [podUidLabel]: metadata.uid!,
    [containerNameLabel]: container.name,
  };
}

export interface AttemptInfo {
  attempt: number;
  backoffMs: number;
  previousFinishedAtMs?: number;
}

export function containerAnnotations(
  pod: corev1.Pod,
  container: corev1.Container,
  { attempt, backoffMs, previousFinishedAtMs }: AttemptInfo,
): Record<string, string> {
  const { preStop } = container.lifecycle ?? {};
  const graceS = pod.spec!.terminationGracePeriodSeconds;
  return {
    [hashAnnotation]: specHash(container),
    [restartCountAnnotation]: String(attempt),
    [messagePathAnnotation]: container.terminationMessagePath ?? "",
    [messagePolicyAnnotation]: container.terminationMessagePolicy ?? "File",
    [backoffAnnotation]: String(backoffMs),
    [resourcesAnnotation]: formatActuated(wantedOf(pod, container)),
    ...(previousFinishedAtMs !== undefined && { [previousEndAnnotation]: String(previousFinishedAtMs) }),
    ...(graceS !== undefined && { [graceAnnotation]: String(graceS) }),
    ...(preStop && { [preStopAnnotation]: JSON.stringify(preStop) }),
    ...(container.ports?.length && { [portsAnnotation]: JSON.stringify(container.ports) }),
  };
}

export function observedSandbox(status: PodSandboxStatus): ObservedSandbox {
  return {
    id: status.id,
    attempt: status.metadata.attempt,
    state: status.state,
    createdAtMs: status.createdAtMs,
    ips: status.ips,
    hostNetwork: status.annotations[hostNetworkAnnotation] === "true",
    allocation: sandboxAllocation(status),
  };
}

/** What its pod was given when it was made. */
export function sandboxAllocation({ annotations }: PodSandboxStatus): PodAllocation | undefined {
  const text = annotations[allocationAnnotation];
  return text === undefined ? undefined : (JSON.parse(text) as PodAllocation);
}

/** `message`: the engine's, joined with the container's own termination message. */
export function observedContainer(status: ContainerStatus, message: string | undefined): ObservedContainer {
  const previousEnd = status.annotations[previousEndAnnotation];
  const actuated = parseActuated(status.annotations[resourcesAnnotation]);
  return {
    id: status.id,
    ...(status.engine !== undefined && { engine: status.engine }),
    sandboxId: status.sandboxId,
    name: status.labels[containerNameLabel] ?? status.metadata.name,
    attempt: Number(status.annotations[restartCountAnnotation] ?? status.metadata.attempt),
    state: status.state,
    createdAtMs: status.createdAtMs,
    startedAtMs: status.startedAtMs,
    finishedAtMs: status.finishedAtMs,
    exitCode: status.exitCode,
    reason: status.reason,
    message,
    imageName: status.imageName,
    imageId: status.imageId,
    imageRef: status.imageRef,
    specHash: status.annotations[hashAnnotation] ?? "",
    backoffMs: Number(status.annotations[backoffAnnotation] ?? 0),
    ...(previousEnd !== undefined && { previousFinishedAtMs: Number(previousEnd) }),
    logPath: status.logPath,
    ...recursionOf(status),
    ...(actuated && { actuated }),
    user: status.user,
  };
}

function recursionOf({ mounts }: ContainerStatus): Pick<ObservedContainer, "recursivelyReadOnly"> {
  const recursive = mounts.filter((mount) => mount.recursiveReadOnly);
  return recursive.length > 0
    ? { recursivelyReadOnly: recursive.map(({ containerPath }) => containerPath) }
    : {};
}

/** How the end of a container is explained: a file it wrote, or the end of its log. */
export function terminationMessageSource(status: ContainerStatus): {
  hostPath?: string;
  fallbackToLogs: boolean;
} {
  const path = status.annotations[messagePathAnnotation];
  const hostPath = path ? status.mounts.find((mount) => mount.containerPath === path)?.hostPath : undefined;
  const fallbackToLogs =
    status.annotations[messagePolicyAnnotation] === "FallbackToLogsOnError" &&
    status.exitCode !== 0 &&
    status.reason !== "ContainerCannotRun" &&
    status.reason !== "StartError";
  return { hostPath, fallbackToLogs };
}

/**
 * As much of a pod as its sandbox and containers tell: enough to end it properly when its object is gone.
 * Its deletion timestamp is set: such a pod is never run.
 */
export function restoredPod(
  sandbox: Pick<PodSandboxStatus, "labels">,
  containers: readonly ContainerStatus[],
  nowIso: string,
): corev1.Pod {
  const grace = containers
    .map(({ annotations }) => annotations[graceAnnotation])
    .find((value) => value !== undefined);
  const names = [...new Set(containers.map(({ labels }) => labels[containerNameLabel]!))];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: sandbox.labels[podNameLabel],
      namespace: sandbox.labels[podNamespaceLabel],
      uid: sandbox.labels[podUidLabel],
      deletionTimestamp: nowIso,
    },
    spec: {
      terminationGracePeriodSeconds: grace === undefined ? 30 : Number(grace),
      containers: names.map((name) => {
        const status = containers.find(({ labels }) => labels[containerNameLabel] === name)!;
        const preStop = status.annotations[preStopAnnotation];
        const ports = status.annotations[portsAnnotation];
        return {
          name,
          ...(ports && { ports: JSON.parse(ports) }),
          ...(preStop && { lifecycle: { preStop: JSON.parse(preStop) } }),
        };
      }),
    },
  };
}
