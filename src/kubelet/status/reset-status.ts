import { asksToRestartAll, type corev1, mayRestartAll } from "../../api/index.ts";
import type { PodObservation } from "../plan/observation.ts";
import { isResetSource, resettable } from "../plan/reset.ts";
import type { Condition } from "./conditions.ts";
import type { PodPhase } from "./phase.ts";

/** What a status is made from. */
export interface SeenPod extends PodObservation {
  /** All of the pod's containers are to start anew, and those of before are not all gone. */
  reset?: "underway";
}

/** Of a container that was removed so that all start anew. */
export const resetReason = "RestartingAllContainers";
const message = "The container is removed because RestartAllContainers in place";
const exitCodeKilled = 137;

/** Seen by the engine, or by the status written last: what asked for it may be gone already. */
export function isResetting(pod: corev1.Pod, observed: PodObservation, previous: corev1.PodStatus): boolean {
  if (!mayRestartAll(pod.spec!)) return false;
  const statuses = [...(previous.initContainerStatuses ?? []), ...(previous.containerStatuses ?? [])];
  return resettable(pod.spec!).some((container) => {
    const ended = statuses.find(({ name }) => name === container.name)?.state?.terminated;
    return isResetSource(container, observed) || (ended && asksToRestartAll(container, ended.exitCode));
  });
}

/** How a container shows that the engine has removed: with what it ended, where that is why, and the next attempt's count. */
export function ofReset(
  spec: corev1.Container,
  old: corev1.ContainerStatus,
): Pick<corev1.ContainerStatus, "state" | "lastState" | "restartCount"> {
  const { lastState = {}, restartCount, state } = old;
  if (state?.waiting) return { state, lastState, restartCount };
  const ended = state?.terminated;
  return {
    state: { waiting: { reason: resetReason, message } },
    lastState: {
      terminated:
        ended && asksToRestartAll(spec, ended.exitCode)
          ? ended
          : { reason: resetReason, message, exitCode: exitCodeKilled },
    },
    restartCount: restartCount + 1,
  };
}

/** Undefined for a pod that never restarts all. As kubelet's GenerateAllContainersRestartingCondition. */
export function allContainersRestarting(
  pod: corev1.Pod,
  observed: SeenPod,
  phase: PodPhase,
): Condition | undefined {
  if (!mayRestartAll(pod.spec!)) return undefined;
  const type = "AllContainersRestarting";
  if (phase === "Failed") return { type, status: "False", reason: "PodFailed" };
  const names = new Set(resettable(pod.spec!).map(({ name }) => name));
  const isUnderway = observed.reset && observed.containers.some(({ name }) => names.has(name));
  if (!isUnderway) return { type, status: "False" };
  const reason = "RestartAllContainersStarted";
  return { type, status: "True", reason, message: "container exited with restart policy rule" };
}
