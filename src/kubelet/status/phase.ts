import { type corev1, isSidecar, shouldRestart } from "../../api/index.ts";

import { resetReason } from "./reset-status.ts";

export type PodPhase = NonNullable<corev1.PodStatus["phase"]>;

interface Tally {
  unknown: number;
  running: number;
  waiting: number;
  stopped: number;
  stoppedForGood: number;
  succeeded: number;
}

/**
 * The phase that container statuses add up to. As kubelet's getPhase.
 *
 * `ended`: nothing of the pod will be started again, whatever its restart policy. `initialized`: a main container of
 * the current sandbox has run, so a restarting sidecar does not make the pod Pending again. `toRestart`: containers that
 * were killed to start again, whatever they ended with.
 */
export function podPhase(
  spec: corev1.PodSpec,
  statuses: readonly corev1.ContainerStatus[],
  state: { ended: boolean; initialized: boolean; reset?: "underway"; toRestart?: ReadonlySet<string> },
): PodPhase {
  const mayRun = (container: corev1.Container, end: corev1.ContainerStateTerminated) =>
    state.reset !== undefined ||
    end.reason === resetReason ||
    state.toRestart?.has(container.name) === true ||
    shouldRestart(container, spec, end.exitCode);

  const byName = new Map(statuses.map((status) => [status.name, status]));
  const inits = (spec.initContainers ?? []).filter((container) => !isSidecar(container));
  const sidecars = (spec.initContainers ?? []).filter(isSidecar);

  let pendingInits = 0;
  for (const container of inits) {
    const status = byName.get(container.name);
    const ended = status?.state?.terminated ?? (status?.state?.waiting && status.lastState?.terminated);
    if (!ended) pendingInits++;
    else if (ended.exitCode !== 0 && !mayRun(container, ended)) return "Failed";
  }

  const tally: Tally = { unknown: 0, running: 0, waiting: 0, stopped: 0, stoppedForGood: 0, succeeded: 0 };
  let pendingSidecars = 0;
  for (const container of sidecars) {
    const status = byName.get(container.name);
    if (!status) tally.unknown++;
    else if (status.state?.running) {
      if (!status.started) pendingSidecars++;
      tally.running++;
    } else if (status.state?.waiting && !status.lastState?.terminated) {
      pendingSidecars++;
      tally.waiting++;
    }
  }
  for (const container of spec.containers) count(container, mayRun, byName.get(container.name), tally);

  if (pendingInits > 0 || (pendingSidecars > 0 && !state.initialized) || tally.waiting > 0) return "Pending";
  if (tally.unknown > 0) return "Pending";
  if (tally.running > 0) return "Running";
  if (tally.stopped === 0) return "Pending";
  if (!state.ended && tally.stopped !== tally.stoppedForGood) return "Running";
  return tally.stopped === tally.succeeded ? "Succeeded" : "Failed";
}

function count(
  container: corev1.Container,
  mayRun: (container: corev1.Container, end: corev1.ContainerStateTerminated) => boolean,
  status: corev1.ContainerStatus | undefined,
  tally: Tally,
): void {
  const state = status?.state;
  if (state?.running) tally.running++;
  else if (state?.terminated) {
    tally.stopped++;
    if (!mayRun(container, state.terminated)) tally.stoppedForGood++;
    if (state.terminated.exitCode === 0) tally.succeeded++;
  } else if (state?.waiting) {
    const last = status?.lastState?.terminated;
    if (!last) tally.waiting++;
    else {
      tally.stopped++;
      if (!mayRun(container, last)) tally.stoppedForGood++;
    }
  } else tally.unknown++;
}
