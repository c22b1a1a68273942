import { type corev1, isSidecar, shouldRestart } from "../../api/index.ts";
import { newest, newestExited, type ObservedContainer, type PodObservation } from "./observation.ts";
import { specHash } from "./spec-hash.ts";

/** As kubelet's container back-off: the first restart is immediate, the second waits this long, each later one twice as long. */
const restartBackoffInitialMs = 10_000;
/** A container that ran this many times the longest back-off starts over with none. */
const resetFactor = 2;

export function isSidecarOf(spec: corev1.PodSpec, name: string): boolean {
  return (spec.initContainers ?? []).some((container) => container.name === name && isSidecar(container));
}

export function isEphemeral(pod: corev1.Pod, name: string): boolean {
  return (pod.spec!.ephemeralContainers ?? []).some((container) => container.name === name);
}

/** Whether a container that is not running should be (again). As kubelet's ShouldContainerBeRestarted. */
export function shouldRun(pod: corev1.Pod, container: corev1.Container, observed: PodObservation): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  const latest = newest(observed, container.name);
  // An ephemeral container runs once, even if the engine has forgotten that it did.
  if (isEphemeral(pod, container.name))
    return latest ? latest.state === "created" : !observed.nextAttempts.has(container.name);
  if (!latest) return true;
  switch (latest.state) {
    case "running":
      return false;
    case "created":
    case "unknown":
      return true;
    case "exited":
      return (
        observed.killedForRestart.has(latest.id) || shouldRestart(container, pod.spec!, latest.exitCode ?? 0)
      );
  }
}

/** The back-off that the next start of a container is under, and the one that start will leave behind. */
export interface RestartBackoff {
  /** Not before then; undefined: now. */
  untilMs?: number;
  /** What is waited for now. */
  currentMs: number;
  /** In force once the next attempt has begun. */
  nextMs: number;
}

/**
 * Pure, and so the same after a restart of the agent: each attempt carries the back-off that was in force when it
 * was made. As client-go's flowcontrol.Backoff, driven by kuberuntime's doBackOff.
 */
export function restartBackoff(
  container: corev1.Container,
  observed: PodObservation,
  nowMs: number,
): RestartBackoff {
  const last = newestExited(observed, container.name);
  const msMax = observed.restartBackoffMsMax;
  const initialMs = Math.min(restartBackoffInitialMs, msMax);
  if (!last || last.specHash !== specHash(container)) return { currentMs: 0, nextMs: last ? initialMs : 0 };
  // What ended with its sandbox, as when the node was stopped, did not crash: as after a reboot, it starts at once.
  const isOfThisSandbox = last.sandboxId === observed.sandboxes[0]?.id;
  if (!isOfThisSandbox) return { currentMs: 0, nextMs: initialMs };
  const endedAtMs = endOf(last, observed);
  const fresh =
    last.backoffMs === 0 || (endedAtMs !== undefined && endedAtMs - last.createdAtMs > resetFactor * msMax);
  if (fresh) return { currentMs: 0, nextMs: initialMs };
  const nextMs = Math.min(last.backoffMs * 2, msMax);
  const untilMs = (endedAtMs ?? 0) + last.backoffMs;
  // One that has ended in the future: the clock was set back, and how long it has waited is not known.
  const isAhead = endedAtMs !== undefined && endedAtMs > nowMs;
  return untilMs > nowMs && !isAhead
    ? { untilMs, currentMs: last.backoffMs, nextMs }
    : { currentMs: last.backoffMs, nextMs };
}

function endOf(last: ObservedContainer, observed: PodObservation): number | undefined {
  // As kubelet: after a kill for a failed probe the wait counts from the attempt before it.
  return observed.killedForRestart.has(last.id) ? last.previousFinishedAtMs : last.finishedAtMs;
}

/** The restart count that the next attempt will have. */
export function nextAttempt(name: string, observed: PodObservation): number {
  const latest = newest(observed, name);
  if (latest) return latest.attempt + 1;
  return observed.nextAttempts.get(name) ?? 0;
}

/** By container, from the pod's status: which shows of one that is gone from the engine what its next attempt will be. */
export function nextAttempts(status: corev1.PodStatus): Map<string, number> {
  const next = new Map<string, number>();
  for (const list of ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"] as const) {
    for (const { name, containerID, lastState, restartCount } of status[list] ?? []) {
      if (containerID) next.set(name, restartCount + 1);
      else if (lastState?.terminated) next.set(name, restartCount);
    }
  }
  return next;
}
