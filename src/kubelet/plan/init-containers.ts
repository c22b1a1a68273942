import { type corev1, isSidecar, shouldRestart } from "../../api/index.ts";
import { kill } from "./kill.ts";
import { newest, type ObservedContainer, type PodObservation } from "./observation.ts";

import { containerResize, resizeRestartMessage } from "./resize.ts";
import { specHash } from "./spec-hash.ts";
import type { Step } from "./step.ts";

/** What the init containers need. */
export interface InitPlan {
  /** The main containers may run. */
  initialized: boolean;
  /** An init container failed for good: the pod has failed. */
  failed: boolean;
  kills: Step[];
  /** In the order of the spec. */
  start: corev1.Container[];
}

/**
 * One at a time and in order; a sidecar lets the next one begin once it has started. As kubelet's
 * computeInitContainerActions: it looks from the last one back, because completed ones may have been forgotten.
 */
export function planInitContainers(pod: corev1.Pod, observed: PodObservation): InitPlan {
  const specs = pod.spec!.initContainers ?? [];
  if (specs.length === 0) return { initialized: true, failed: false, kills: [], start: [] };
  const plan: InitPlan = {
    initialized: mainContainerRan(pod, observed),
    failed: false,
    kills: [],
    start: [],
  };
  let previouslyInitialized = plan.initialized;

  for (let i = specs.length - 1; i >= 0; i--) {
    const spec = specs[i]!;
    const latest = newest(observed, spec.name);
    if (!latest) {
      if (previouslyInitialized && isSidecar(spec)) plan.start.push(spec);
      continue;
    }
    if (previouslyInitialized && !isSidecar(spec)) continue;
    const done = isSidecar(spec)
      ? planSidecar(pod, observed, spec, latest, plan)
      : planOne(pod, spec, latest, plan);
    if (plan.failed) return { initialized: false, failed: true, kills: [], start: [] };
    if (done) {
      if (i === specs.length - 1) plan.initialized = true;
      else if (!previouslyInitialized) plan.start.push(specs[i + 1]!);
    }
    previouslyInitialized = true;
  }
  if (!previouslyInitialized) plan.start.push(specs[0]!);
  plan.start.reverse();
  return plan;
}

function mainContainerRan(pod: corev1.Pod, observed: PodObservation): boolean {
  return pod.spec!.containers.some((container) => {
    const state = newest(observed, container.name)?.state;
    return state === "created" || state === "running";
  });
}

/** Whether it is done; says in `plan` what it needs otherwise. */
function planOne(
  pod: corev1.Pod,
  spec: corev1.Container,
  latest: ObservedContainer,
  plan: InitPlan,
): boolean {
  switch (latest.state) {
    case "running":
      return false;
    case "created":
      plan.start.push(spec);
      return false;
    case "exited":
      if ((latest.exitCode ?? 0) === 0) return true;
      if (shouldRestart(spec, pod.spec!, latest.exitCode!)) plan.start.push(spec);
      else plan.failed = true;
      return false;
    case "unknown":
      if ((spec.restartPolicy ?? pod.spec!.restartPolicy) === "Never") plan.failed = true;
      else {
        plan.kills.push(
          kill(pod, latest, "Unknown", `Init container is in "unknown" state, try killing it before restart`),
        );
        plan.start.push(spec);
      }
      return false;
  }
}

function planSidecar(
  pod: corev1.Pod,
  observed: PodObservation,
  spec: corev1.Container,
  latest: ObservedContainer,
  plan: InitPlan,
): boolean {
  const replace = (
    reason: "StartupProbe" | "LivenessProbe" | "DefinitionChanged" | "Resize" | "Unknown",
    message: string,
  ) => {
    plan.kills.push(kill(pod, latest, reason, message));
    plan.start.push(spec);
  };
  switch (latest.state) {
    case "created":
    case "exited":
      plan.start.push(spec);
      return false;
    case "unknown":
      replace("Unknown", `Init container is in "unknown" state, try killing it before restart`);
      return false;
    case "running": {
      const verdict = observed.probes.get(latest.id);
      if (spec.startupProbe && verdict?.startup !== "success") {
        if (verdict?.startup === "failure")
          replace("StartupProbe", `Init container ${spec.name} failed startup probe`);
        return false;
      }
      if (latest.specHash !== specHash(spec)) {
        replace("DefinitionChanged", `Init container ${spec.name} definition changed`);
      } else if (verdict?.liveness === "failure") {
        replace("LivenessProbe", `Init container ${spec.name} failed liveness probe`);
      } else if (containerResize(pod, spec, latest) === "restart") {
        replace("Resize", resizeRestartMessage(spec));
      }
      return true;
    }
  }
}
