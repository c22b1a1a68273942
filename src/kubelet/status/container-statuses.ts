import { type corev1, isSidecar, shouldRestart } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { asksForRecursion } from "../container/recursive-read-only.ts";
import { containerSpecOf } from "../plan/kill.ts";
import { newest, type ObservedContainer } from "../plan/observation.ts";
import { isEphemeral, restartBackoff, shouldRun } from "../plan/restart.ts";
import { shownResources } from "../resize/actuated.ts";
import { ofReset, type SeenPod } from "./reset-status.ts";

/** How a container's id is written in a status: `peapod://…`, or `containerd://…` where that runs it. */
export const containerIdOf = ({ id, engine = "peapod" }: Pick<ObservedContainer, "id" | "engine">) =>
  `${engine}://${id}`;

/** Exit code of what was killed from outside, and of what was lost sight of. */
const exitCodeKilled = 137;

const lostReason = "ContainerStatusUnknown";
const lostMessage =
  "The container could not be located when the pod was deleted.  The container used to be Running";

type Previous = ReadonlyMap<string, corev1.ContainerStatus>;

/**
 * The statuses of one list of a pod's containers, in the order of the spec for init containers and by name otherwise.
 * As kubelet's convertToAPIContainerStatuses; `started` and `ready` follow from the probes, here as there.
 */
export function containerStatuses(
  pod: corev1.Pod,
  specs: readonly corev1.Container[],
  observed: SeenPod,
  before: readonly corev1.ContainerStatus[],
  nowMs: number,
): corev1.ContainerStatus[] {
  const previous: Previous = new Map(before.map((status) => [status.name, status]));
  return specs.map((spec) => {
    const attempts = observed.containers.filter((container) => container.name === spec.name);
    const old = previous.get(spec.name);
    const status =
      attempts.length > 0 ? ofAttempts(pod, spec, attempts, old) : ofNone(pod, spec, old, observed);
    return withProbes(
      spec,
      withWaiting(pod, spec, status, observed, nowMs),
      attempts[0],
      observed,
      isInit(pod, spec),
    );
  });
}

const isInit = (pod: corev1.Pod, spec: corev1.Container) =>
  (pod.spec!.initContainers ?? []).some(({ name }) => name === spec.name);

function blank(pod: corev1.Pod, spec: corev1.Container): corev1.ContainerStatus {
  const reason = (pod.spec!.initContainers ?? []).length > 0 ? "PodInitializing" : "ContainerCreating";
  return {
    name: spec.name,
    state: { waiting: { reason } },
    lastState: {},
    ready: false,
    restartCount: 0,
    image: spec.image ?? "",
    imageID: "",
    started: false,
    ...volumeMounts(spec),
  };
}

/** `made`: as the engine made it. Until then it is told as it is to be. */
function volumeMounts(
  spec: corev1.Container,
  made?: ObservedContainer,
): Pick<corev1.ContainerStatus, "volumeMounts"> {
  if (!spec.volumeMounts?.length) return {};
  const isRecursive = (mount: corev1.VolumeMount) =>
    asksForRecursion(mount) &&
    (made === undefined || (made.recursivelyReadOnly?.includes(mount.mountPath) ?? false));
  return {
    volumeMounts: spec.volumeMounts.map((mount) => ({
      name: mount.name,
      mountPath: mount.mountPath,
      ...(mount.readOnly && {
        readOnly: true,
        recursiveReadOnly: isRecursive(mount) ? "Enabled" : "Disabled",
      }),
    })),
  };
}

/** The engine knows nothing of the container: never made, or forgotten. */
function ofNone(
  pod: corev1.Pod,
  spec: corev1.Container,
  old: corev1.ContainerStatus | undefined,
  observed: SeenPod,
): corev1.ContainerStatus {
  const status = blank(pod, spec);
  if (!old) return completedInit(pod, spec, status, observed);
  if (observed.reset && !isEphemeral(pod, spec.name)) return { ...status, ...ofReset(spec, old) };
  if (old.state?.terminated) return old;
  const lost = { terminated: { reason: lostReason, message: lostMessage, exitCode: exitCodeKilled } };
  if (old.state?.running && isEphemeral(pod, spec.name)) return { ...old, state: lost };
  status.restartCount = old.restartCount;
  status.lastState = old.lastState ?? {};
  if (old.state?.running && !status.lastState.terminated) {
    status.lastState = lost;
    if (!pod.metadata.deletionTimestamp) status.restartCount++;
  }
  return completedInit(pod, spec, status, observed);
}

/** A main container was made, so the init containers have completed even if the engine has forgotten them. */
function completedInit(
  pod: corev1.Pod,
  spec: corev1.Container,
  status: corev1.ContainerStatus,
  observed: SeenPod,
): corev1.ContainerStatus {
  if (!isInit(pod, spec) || isSidecar(spec)) return status;
  const mains = new Set(pod.spec!.containers.map(({ name }) => name));
  if (!observed.containers.some(({ name }) => mains.has(name))) return status;
  const message =
    "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally";
  return { ...status, state: { terminated: { reason: "Completed", message, exitCode: 0 } } };
}

function ofAttempts(
  pod: corev1.Pod,
  spec: corev1.Container,
  attempts: readonly ObservedContainer[],
  old: corev1.ContainerStatus | undefined,
): corev1.ContainerStatus {
  const [latest, earlier] = attempts as [ObservedContainer, ObservedContainer?];
  const state = stateOf(latest, old);
  return {
    ...blank(pod, spec),
    ...volumeMounts(spec, latest),
    state,
    lastState: earlier ? stateOf(earlier, undefined) : keptLastState(latest, old),
    restartCount: Math.max(latest.attempt, old?.containerID === containerIdOf(latest) ? old.restartCount : 0),
    image: latest.imageName,
    imageID: latest.imageRef,
    containerID: containerIdOf(latest),
    resources: shownResources(pod, spec, latest.state === "running" ? latest.actuated : undefined),
    ...(spec.resources?.requests && { allocatedResources: spec.resources.requests }),
    ...(latest.user && {
      user: {
        linux: {
          uid: latest.user.uid,
          gid: latest.user.gid,
          supplementalGroups: latest.user.supplementalGroups,
        },
      },
    }),
  };
}

/** The attempt before this one is gone from the engine: its end is in the status written earlier. */
function keptLastState(
  latest: ObservedContainer,
  old: corev1.ContainerStatus | undefined,
): corev1.ContainerState {
  if (!old) return {};
  if (old.containerID !== containerIdOf(latest) && old.state?.terminated)
    return { terminated: old.state.terminated };
  return old.lastState?.terminated ? { terminated: old.lastState.terminated } : {};
}

function stateOf(
  container: ObservedContainer,
  old: corev1.ContainerStatus | undefined,
): corev1.ContainerState {
  switch (container.state) {
    case "running":
      return { running: { startedAt: formatTime(container.startedAtMs ?? container.createdAtMs) } };
    case "exited":
      return {
        terminated: {
          exitCode: container.exitCode ?? 0,
          reason: container.reason ?? ((container.exitCode ?? 0) === 0 ? "Completed" : "Error"),
          ...(container.message && { message: container.message }),
          startedAt: formatTime(container.startedAtMs ?? 0),
          finishedAt: formatTime(container.finishedAtMs ?? 0),
          containerID: containerIdOf(container),
        },
      };
    case "created":
      return { waiting: {} };
    case "unknown":
      if (!old?.state?.running) return { waiting: {} };
      return {
        terminated: {
          reason: lostReason,
          message: "The container could not be located when the pod was terminated",
          exitCode: exitCodeKilled,
        },
      };
  }
}

/** A container that is to run and could not be started shows why it waits; its end moves to `lastState`. */
function withWaiting(
  pod: corev1.Pod,
  spec: corev1.Container,
  status: corev1.ContainerStatus,
  observed: SeenPod,
  nowMs: number,
): corev1.ContainerStatus {
  if (observed.phase === "Failed" || observed.phase === "Succeeded" || observed.reset) return status;
  // Its pod is done: a sidecar that ended with it is not waited for.
  if (isSidecar(spec) && pod.spec!.containers.every((main) => hasEndedForGood(pod, main, observed)))
    return status;
  if (isInit(pod, spec) && !isSidecar(spec) && status.state?.terminated?.exitCode === 0) return status;
  if (!shouldRun(pod, spec, observed)) return status;
  const waiting = waitingFor(pod, spec, observed, nowMs);
  if (!waiting) {
    const ended = status.state?.terminated;
    // It was killed so as to start again: what its exit code says for itself would be taken for an end for good.
    if (ended && !shouldRestart(spec, pod.spec!, ended.exitCode))
      return { ...status, state: blank(pod, spec).state!, lastState: { terminated: ended } };
    // Between the engine's making it and its start, a first attempt is still being created.
    if (status.state?.waiting && !status.state.waiting.reason)
      return { ...status, state: blank(pod, spec).state! };
    return status;
  }
  return {
    ...status,
    state: { waiting },
    ...(status.state?.terminated && { lastState: { terminated: status.state.terminated } }),
  };
}

function hasEndedForGood(pod: corev1.Pod, container: corev1.Container, observed: SeenPod): boolean {
  return newest(observed, container.name)?.state === "exited" && !shouldRun(pod, container, observed);
}

function waitingFor(
  pod: corev1.Pod,
  spec: corev1.Container,
  observed: SeenPod,
  nowMs: number,
): corev1.ContainerStateWaiting | undefined {
  const failure = observed.failures.get(spec.name);
  if (failure && failure.retryAtMs > nowMs) return { reason: failure.reason, message: failure.message };
  const backoff = restartBackoff(containerSpecOf(pod, spec.name) ?? spec, observed, nowMs);
  // While it is being tried again, the old failure stands: nothing better is known.
  if (backoff.untilMs === undefined) return failure && { reason: failure.reason, message: failure.message };
  return { reason: "CrashLoopBackOff", message: backoffMessage(pod, spec.name, backoff) };
}

/** `name_namespace(uid)`: how kubelet's messages name a pod. */
export function formatPod({ metadata }: corev1.Pod): string {
  return `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
}

/** As kubelet's, and when it will be over. */
function backoffMessage(
  pod: corev1.Pod,
  container: string,
  { currentMs, untilMs }: { currentMs: number; untilMs?: number },
): string {
  const due = untilMs === undefined ? "" : `; next try at ${formatTime(untilMs)}`;
  return `back-off ${goDuration(currentMs)} restarting failed container=${container} pod=${formatPod(pod)}${due}`;
}

/** Whole seconds as Go prints a duration: `10s`, `1m20s`, `5m0s`. */
export function goDuration(ms: number): string {
  const totalS = Math.round(ms / 1_000);
  const minutes = Math.floor(totalS / 60);
  return minutes > 0 ? `${minutes}m${totalS % 60}s` : `${totalS}s`;
}

/** `started` and `ready`. As prober's UpdatePodStatus. */
function withProbes(
  spec: corev1.Container,
  status: corev1.ContainerStatus,
  latest: ObservedContainer | undefined,
  observed: SeenPod,
  init: boolean,
): corev1.ContainerStatus {
  const verdict = latest ? observed.probes.get(latest.id) : undefined;
  const running = status.state?.running !== undefined;
  const started = running && (spec.startupProbe === undefined || verdict?.startup === "success");
  if (init && !isSidecar(spec)) {
    return { ...status, started, ready: status.state?.terminated?.exitCode === 0 };
  }
  const ready = started && (spec.readinessProbe === undefined || verdict?.readiness === "success");
  return { ...status, started, ready };
}
