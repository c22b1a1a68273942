import { type corev1, isSidecar } from "../../api/index.ts";
import type { ObservedContainer, PodObservation } from "./observation.ts";

import type { KillReason, Step } from "./step.ts";

/** As kubelet: no container gets less time than this between the stop signal and SIGKILL. */
export const killGraceSMin = 2;

/** What the container spec says of its end. */
export function containerSpecOf(pod: corev1.Pod, name: string): corev1.Container | undefined {
  const spec = pod.spec!;
  return (
    spec.containers.find((container) => container.name === name) ??
    spec.initContainers?.find((container) => container.name === name) ??
    (spec.ephemeralContainers?.find((container) => container.name === name) as corev1.Container | undefined)
  );
}

/** The grace period a container has when it is killed for `reason`. As kubelet's setTerminationGracePeriod. */
export function killGraceS(pod: corev1.Pod, name: string, reason: KillReason): number {
  const { deletionGracePeriodSeconds } = pod.metadata;
  if (deletionGracePeriodSeconds !== undefined) return deletionGracePeriodSeconds;
  const spec = containerSpecOf(pod, name);
  const ofProbe =
    reason === "StartupProbe"
      ? spec?.startupProbe?.terminationGracePeriodSeconds
      : reason === "LivenessProbe"
        ? spec?.livenessProbe?.terminationGracePeriodSeconds
        : undefined;
  return ofProbe ?? pod.spec!.terminationGracePeriodSeconds ?? killGraceSMin;
}

/** The pod as one that was told to end within `graceS`, if it has no less time already. */
export function hurried(pod: corev1.Pod, graceS: number | undefined): corev1.Pod {
  const { metadata } = pod;
  if (graceS === undefined) return pod;
  const asked = metadata.deletionGracePeriodSeconds ?? pod.spec!.terminationGracePeriodSeconds ?? graceS;
  return { ...pod, metadata: { ...metadata, deletionGracePeriodSeconds: Math.min(asked, graceS) } };
}

export function kill(
  pod: corev1.Pod,
  container: ObservedContainer,
  reason: KillReason,
  message: string,
  after: readonly string[] = [],
): Step {
  return {
    do: "kill",
    containerId: container.id,
    container: container.name,
    graceS: killGraceS(pod, container.name, reason),
    reason,
    message,
    after,
  };
}

/**
 * Kills all that runs. Sidecars come after every main container, and each after those that were started after it.
 * As kubelet's terminationOrdering.
 */
export function killAll(pod: corev1.Pod, observed: PodObservation, reason: KillReason): Step[] {
  const running = observed.containers.filter(
    (container) => container.state === "running" || container.state === "unknown",
  );
  const sidecars = (pod.spec!.initContainers ?? []).filter(isSidecar).map((container) => container.name);
  const mains = pod.spec!.containers.map((container) => container.name);
  return running.map((container) => {
    const position = sidecars.indexOf(container.name);
    const after = position < 0 ? [] : [...mains, ...sidecars.slice(position + 1)];
    return kill(pod, container, reason, `Stopping container ${container.name}`, after);
  });
}
