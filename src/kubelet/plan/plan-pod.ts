import { type corev1, isSidecar } from "../../api/index.ts";
import { planInitContainers } from "./init-containers.ts";
import { kill, killAll } from "./kill.ts";
import { newest, type ObservedSandbox, type PodObservation } from "./observation.ts";
import { planReset } from "./reset.ts";
import { containerResize, needsResize, resizeRestartMessage } from "./resize.ts";
import { nextAttempt, restartBackoff, shouldRun } from "./restart.ts";
import { sandboxNeed } from "./sandbox.ts";
import { specHash } from "./spec-hash.ts";
import { type ContainerKind, keyOfStep, type Step } from "./step.ts";

export const deadlineExceededMessage = "Pod was active on the node longer than the specified deadline";

/**
 * What to do for a pod now. Pure: of the pod, of what is seen, and of the time; the whole order of start and stop
 * is decided here. Steps already {@link PodObservation.underway} are left out; a plan of nothing but waits means the
 * pod is as it should be.
 *
 * Counterpart upstream: kuberuntime's computePodActions and the pod worker's SyncPod, SyncTerminatingPod and
 * SyncTerminatedPod.
 */
export function planPod(pod: corev1.Pod, observed: PodObservation, nowMs: number): Step[] {
  const steps = isTerminating(pod, observed) ? planEnd(pod, observed, nowMs) : planRun(pod, observed, nowMs);
  return steps.filter((step) => {
    if (step.do === "pullImage" && observed.imagesAhead.has(step.container)) return false;
    return step.do === "wait" || !observed.underway.has(keyOfStep(step));
  });
}

/** Whether nothing of the pod is to run any more: it is being deleted, or its phase is final. */
export function isTerminating(pod: corev1.Pod, observed: Pick<PodObservation, "phase">): boolean {
  return (
    pod.metadata.deletionTimestamp !== undefined ||
    observed.phase === "Succeeded" ||
    observed.phase === "Failed"
  );
}

/** Stops everything, in order; a deleted pod is then removed. */
function planEnd(pod: corev1.Pod, observed: PodObservation, nowMs: number): Step[] {
  const kills = killAll(pod, observed, "Terminating");
  if (kills.length > 0) return kills;
  const isStarting = [...observed.underway].some(
    (key) => key.startsWith("container/") || key === "sandbox" || key.startsWith("kill/"),
  );
  if (isStarting) return [];
  const ready = observed.sandboxes.filter((sandbox) => sandbox.state === "ready");
  if (ready.length > 0) return ready.map(({ id }): Step => ({ do: "stopSandbox", sandboxId: id }));
  const steps: Step[] = [];
  const { unmountRetryAtMs } = observed;
  if (observed.volumes === "mounted") {
    const isLater = unmountRetryAtMs !== undefined && unmountRetryAtMs > nowMs;
    steps.push(isLater ? { do: "wait", untilMs: unmountRetryAtMs } : { do: "unmountVolumes" });
  } else if (pod.metadata.deletionTimestamp !== undefined) steps.push({ do: "finish" });
  return steps;
}

function planRun(pod: corev1.Pod, observed: PodObservation, nowMs: number): Step[] {
  const deadline = planDeadline(pod, observed, nowMs);
  if (deadline?.do === "fail") return [deadline];
  const need = sandboxNeed(pod, observed);
  const steps =
    "has" in need
      ? planContainers(pod, observed, need.has, nowMs)
      : planSandbox(pod, observed, need.create, nowMs);
  if (observed.volumes === "unmounted") {
    steps.push(
      observed.volumesRetryAtMs !== undefined && observed.volumesRetryAtMs > nowMs
        ? { do: "wait", untilMs: observed.volumesRetryAtMs }
        : { do: "mountVolumes" },
    );
  }
  if (deadline) steps.push(deadline);
  return steps;
}

function planDeadline(pod: corev1.Pod, observed: PodObservation, nowMs: number): Step | undefined {
  const deadlineS = pod.spec!.activeDeadlineSeconds;
  if (deadlineS === undefined || observed.startTimeMs === undefined) return undefined;
  const untilMs = observed.startTimeMs + deadlineS * 1_000;
  return nowMs >= untilMs
    ? { do: "fail", reason: "DeadlineExceeded", message: deadlineExceededMessage }
    : { do: "wait", untilMs };
}

/** A (new) sandbox must be made; what ran in the old one ends first, and init containers will run again. */
function planSandbox(
  pod: corev1.Pod,
  observed: PodObservation,
  create: { attempt: number; changed: boolean },
  nowMs: number,
): Step[] {
  const kills = killAll(pod, observed, "Unknown");
  if (kills.length > 0) return kills;
  const ready = observed.sandboxes.filter((sandbox) => sandbox.state === "ready");
  if (ready.length > 0) return ready.map(({ id }): Step => ({ do: "stopSandbox", sandboxId: id }));

  const policy = pod.spec!.restartPolicy;
  if (policy === "Never" && create.attempt !== 0 && observed.containers.length > 0) return [];
  const mains = pod.spec!.containers.filter((container) => shouldRun(pod, container, observed));
  const ran = pod.spec!.containers.some((container) => newest(observed, container.name) !== undefined);
  if (mains.length === 0 && ran) return [];

  const isInit = new Set((pod.spec!.initContainers ?? []).map((container) => container.name));
  const stale = observed.containers.filter((container) => isInit.has(container.name));
  if (stale.length > 0) {
    return stale.map(({ id, name }): Step => ({ do: "removeContainer", containerId: id, container: name }));
  }
  const first = pod.spec!.initContainers?.[0];
  const ahead = (first ? [first] : mains)
    .filter((container) => !observed.failures.has(container.name))
    .map((container): Step => ({ do: "pullImage", container: container.name }));
  return observed.sandboxRetryAtMs !== undefined && observed.sandboxRetryAtMs > nowMs
    ? [{ do: "wait", untilMs: observed.sandboxRetryAtMs }]
    : [{ do: "createSandbox", ...create }, ...ahead];
}

function planContainers(
  pod: corev1.Pod,
  observed: PodObservation,
  sandbox: ObservedSandbox,
  nowMs: number,
): Step[] {
  const resize = planResize(pod, observed, nowMs);
  const steps: Step[] = [...planForgotten(pod, observed, sandbox), ...(resize ? [resize] : [])];
  const start = (container: corev1.Container, kind: ContainerKind) => {
    // A container's share may not pass its pod's: the pod grows before it starts.
    if (resize?.do !== "resize") steps.push(planStart(container, kind, observed, sandbox, nowMs));
  };

  const reset = planReset(pod, observed);
  if (reset) return [...steps, ...reset];
  if (isDone(pod, observed, sandbox)) {
    // All main containers are done: the sidecars are not to hold the pod up.
    // Once they have ended too the phase is final, and the rest follows from that.
    return [...steps, ...killAll(pod, observed, "PodCompleted")];
  }
  const init = planInitContainers(pod, observed);
  if (init.failed) return [...steps, ...killAll(pod, observed, "PodCompleted")];
  const mains = init.initialized ? planMains(pod, observed) : undefined;
  if (mains && isEnding(pod, observed, mains.kills)) {
    // As upstream: what is in its last preStop hook has the sidecars that still run, and none is killed or started.
    init.start = [];
    init.kills = [];
  }
  // They wait for nothing: they may be there to see why the pod does not get on.
  for (const container of (pod.spec!.ephemeralContainers ?? []) as corev1.Container[]) {
    if (shouldRun(pod, container, observed)) start(container, "ephemeral");
  }
  steps.push(...init.kills);
  const beingKilled = new Set(
    [...init.kills, ...(mains?.kills ?? [])].map((step) => (step as { container: string }).container),
  );
  for (const container of init.start) {
    if (!beingKilled.has(container.name)) start(container, isSidecar(container) ? "sidecar" : "init");
  }
  if (mains) {
    steps.push(...mains.kills);
    for (const container of inTurn(mains.start, pod, observed, nowMs)) start(container, "container");
  }
  return steps;
}

function planResize(pod: corev1.Pod, observed: PodObservation, nowMs: number): Step | undefined {
  if (!needsResize(pod, observed)) return undefined;
  const retryAtMs = observed.resizeRetryAtMs;
  return retryAtMs !== undefined && retryAtMs > nowMs ? { do: "wait", untilMs: retryAtMs } : { do: "resize" };
}

/** Every main container has run in this sandbox, has ended, and is not to run again. */
function isDone(pod: corev1.Pod, observed: PodObservation, sandbox: ObservedSandbox): boolean {
  return pod.spec!.containers.every((container) => {
    const latest = newest(observed, container.name);
    return (
      latest?.state === "exited" && latest.sandboxId === sandbox.id && !shouldRun(pod, container, observed)
    );
  });
}

/** What runs of the main containers is being killed for its probe, or about to be, and none is to run again. */
function isEnding(pod: corev1.Pod, observed: PodObservation, kills: readonly Step[]): boolean {
  const isForProbe = (step: Step) =>
    step.do === "kill" && (step.reason === "LivenessProbe" || step.reason === "StartupProbe");
  const ends = new Set([...kills.filter(isForProbe).map(keyOfStep), ...observed.underway]);
  const states = pod.spec!.containers.map((container) => {
    const latest = newest(observed, container.name);
    if (latest?.state === "exited") return shouldRun(pod, container, observed) ? "runs" : "ended";
    const isKilled = latest?.state === "running" && ends.has(`kill/${latest.id}`);
    const { restartPolicy = pod.spec!.restartPolicy, restartPolicyRules: rules } = container;
    const isLast =
      restartPolicy === "Never" && !rules?.length && !observed.killedForRestart.has(latest?.id ?? "");
    return isKilled && isLast ? "ending" : "runs";
  });
  return states.includes("ending") && !states.includes("runs");
}

/** The main containers, of a pod that has been initialized. */
function planMains(pod: corev1.Pod, observed: PodObservation) {
  const kills: Step[] = [];
  const start: corev1.Container[] = [];
  let kept = 0;
  for (const container of pod.spec!.containers) {
    const latest = newest(observed, container.name);
    if (latest?.state !== "running") {
      if (!shouldRun(pod, container, observed)) continue;
      if (latest?.state === "unknown") {
        kills.push(
          kill(pod, latest, "Unknown", `Container is in "unknown" state, try killing it before restart`),
        );
      } else start.push(container);
      continue;
    }
    const verdict = observed.probes.get(latest.id);
    const policy = container.restartPolicy ?? pod.spec!.restartPolicy;
    const then = policy === "Never" ? "" : ", will be restarted";
    if (latest.specHash !== specHash(container)) {
      kills.push(
        kill(
          pod,
          latest,
          "DefinitionChanged",
          `Container ${container.name} definition changed, will be restarted`,
        ),
      );
    } else if (verdict?.liveness === "failure") {
      kills.push(
        kill(pod, latest, "LivenessProbe", `Container ${container.name} failed liveness probe${then}`),
      );
    } else if (verdict?.startup === "failure") {
      kills.push(
        kill(pod, latest, "StartupProbe", `Container ${container.name} failed startup probe${then}`),
      );
    } else if (containerResize(pod, container, latest) === "restart") {
      kills.push(kill(pod, latest, "Resize", resizeRestartMessage(container)));
    } else kept++;
  }
  return { kills, start, kept };
}

/**
 * As kubelet, which starts one after the other: no main container before the postStart hook of one ahead of it has run.
 * One that cannot be started holds up none.
 */
function inTurn(
  start: readonly corev1.Container[],
  pod: corev1.Pod,
  observed: PodObservation,
  nowMs: number,
): corev1.Container[] {
  const startsNow = (container: corev1.Container) =>
    start.includes(container) && restartBackoff(container, observed, nowMs).untilMs === undefined;
  const waits = (container: corev1.Container) =>
    container.lifecycle?.postStart !== undefined &&
    !observed.failures.has(container.name) &&
    (startsNow(container) || observed.underway.has(`container/${container.name}`));
  const first = pod.spec!.containers.findIndex(waits);
  if (first < 0) return [...start];
  return start.filter((container) => pod.spec!.containers.indexOf(container) <= first);
}

/** Starting is held back by the volumes, by a failure a moment ago, or by the restart back-off. */
function planStart(
  container: corev1.Container,
  kind: ContainerKind,
  observed: PodObservation,
  sandbox: ObservedSandbox,
  nowMs: number,
): Step {
  const failure = observed.failures.get(container.name);
  if (failure && failure.retryAtMs > nowMs)
    return { do: "wait", untilMs: failure.retryAtMs, container: container.name };
  const backoff = restartBackoff(container, observed, nowMs);
  if (backoff.untilMs !== undefined) {
    return { do: "wait", untilMs: backoff.untilMs, container: container.name, backoffMs: backoff.currentMs };
  }
  if (observed.volumes === "unmounted") return { do: "pullImage", container: container.name };
  return {
    do: "start",
    container: container.name,
    kind,
    sandboxId: sandbox.id,
    attempt: nextAttempt(container.name, observed),
    backoffMs: backoff.nextMs,
    ...previousEnd(container.name, observed),
  };
}

function previousEnd(name: string, observed: PodObservation) {
  const previousFinishedAtMs = observed.containers.find(
    (c) => c.name === name && c.state === "exited",
  )?.finishedAtMs;
  return previousFinishedAtMs === undefined ? {} : { previousFinishedAtMs };
}

/** Of each container the newest attempt and the last ended one are kept (for `logs --previous` and `lastState`). */
function planForgotten(pod: corev1.Pod, observed: PodObservation, sandbox: ObservedSandbox): Step[] {
  const steps: Step[] = [];
  const seen = new Map<string, { ended: boolean }>();
  const known = new Set(
    [
      ...(pod.spec!.initContainers ?? []),
      ...pod.spec!.containers,
      ...(pod.spec!.ephemeralContainers ?? []),
    ].map((c) => c.name),
  );
  for (const container of observed.containers) {
    const before = seen.get(container.name);
    const isEnded = container.state === "exited" || (before !== undefined && container.state === "created");
    const isKept = known.has(container.name) && (!before || (container.state === "exited" && !before.ended));
    seen.set(container.name, { ended: (before?.ended ?? false) || (before !== undefined && isEnded) });
    if (!isKept) steps.push({ do: "removeContainer", containerId: container.id, container: container.name });
  }
  const inUse = new Set(observed.containers.map((container) => container.sandboxId));
  for (const old of observed.sandboxes) {
    if (old.id !== sandbox.id && old.state === "notReady" && !inUse.has(old.id)) {
      steps.push({ do: "removeSandbox", sandboxId: old.id });
    }
  }
  return steps;
}
