import type { corev1 } from "../../../index.ts";
import { isPodTerminal } from "./conditions.ts";
import { isSidecar } from "./resources.ts";

/** What `kubectl get pods` tells of a pod. */
export interface PodSummary {
  ready: number;
  total: number;
  /** A phase, a reason, or how far initialization has come. */
  status: string;
  restarts: number;
  /** When the container that was restarted last had ended. */
  lastRestart: string | undefined;
}

/** Three columns ask for the same: a row is asked for at once. */
let lastPod: corev1.Pod | undefined;
let lastSummary: PodSummary | undefined;

/** As `pkg/printers/internalversion.printPod`. A pod that was asked about must not change afterwards. */
export function podSummary(pod: corev1.Pod): PodSummary {
  if (pod === lastPod) return lastSummary!;
  lastSummary = summarise(pod);
  lastPod = pod;
  return lastSummary;
}

function summarise(pod: corev1.Pod): PodSummary {
  const { spec, status } = pod;
  const sidecars = new Set<string>();
  for (const container of spec?.initContainers ?? []) if (isSidecar(container)) sidecars.add(container.name);
  const summary: PodSummary = {
    ready: 0,
    total: (spec?.containers?.length ?? 0) + sidecars.size,
    status: statusOfPod(status),
    restarts: 0,
    lastRestart: undefined,
  };
  const sidecarRestarts = { restarts: 0, lastRestart: undefined as string | undefined };
  const isInitializing = summariseInit(pod, sidecars, summary, sidecarRestarts);
  if (!isInitializing || isInitialized(status)) {
    Object.assign(summary, sidecarRestarts);
    summariseContainers(status, summary);
  }
  if (pod.metadata?.deletionTimestamp) {
    if (status?.reason === "NodeLost") summary.status = "Unknown";
    else if (!isPodTerminal(pod)) summary.status = "Terminating";
  }
  return summary;
}

function statusOfPod(status: corev1.PodStatus | undefined): string {
  const isGated = status?.conditions?.some(
    ({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated",
  );
  return isGated ? "SchedulingGated" : status?.reason || status?.phase || "";
}

const isInitialized = (status: corev1.PodStatus | undefined) =>
  status?.conditions?.find(({ type }) => type === "Initialized")?.status === "True";

type Restarts = Pick<PodSummary, "restarts" | "lastRestart">;

function countRestarts(into: Restarts, { restartCount, lastState }: corev1.ContainerStatus): void {
  into.restarts += restartCount ?? 0;
  const ended = lastState?.terminated?.finishedAt;
  // RFC 3339 in UTC sorts as text.
  if (ended && (!into.lastRestart || into.lastRestart < ended)) into.lastRestart = ended;
}

/** Returns whether some init container keeps the rest from starting. */
function summariseInit(
  { spec, status }: corev1.Pod,
  sidecars: ReadonlySet<string>,
  summary: PodSummary,
  sidecarRestarts: Restarts,
): boolean {
  const statuses = status?.initContainerStatuses ?? [];
  for (const [i, container] of statuses.entries()) {
    countRestarts(summary, container);
    const { state, started, ready, name } = container;
    if (sidecars.has(name)) countRestarts(sidecarRestarts, container);
    if (state?.terminated && !state.terminated.exitCode) continue;
    if (sidecars.has(name) && started) {
      if (ready) summary.ready++;
      continue;
    }
    const waitingFor = state?.waiting?.reason;
    if (state?.terminated) summary.status = `Init:${endOf(state.terminated)}`;
    else if (waitingFor && waitingFor !== "PodInitializing") summary.status = `Init:${waitingFor}`;
    else summary.status = `Init:${i}/${spec?.initContainers?.length ?? 0}`;
    return true;
  }
  return false;
}

const endOf = ({ reason, signal, exitCode }: corev1.ContainerStateTerminated) =>
  reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode ?? 0}`);

function summariseContainers(status: corev1.PodStatus | undefined, summary: PodSummary): void {
  const statuses = status?.containerStatuses ?? [];
  let isRunning = false;
  let failure = "";
  for (let i = statuses.length - 1; i >= 0; i--) {
    const { state, ready } = statuses[i]!;
    countRestarts(summary, statuses[i]!);
    if (state?.waiting?.reason) {
      summary.status = state.waiting.reason;
    } else if (state?.terminated) {
      summary.status = endOf(state.terminated);
      if (state.terminated.exitCode) failure = summary.status;
    } else if (ready && state?.running) {
      isRunning = true;
      summary.ready++;
    }
  }
  if (summary.status !== "Completed") return;
  // One that has ended is not yet the end of the pod.
  const isReady = status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  if (isRunning && isReady) summary.status = "Running";
  else if (failure) summary.status = failure;
  else if (isRunning) summary.status = "NotReady";
}
