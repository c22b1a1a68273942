/** Why a container is killed; decides its grace period and its event. */
export type KillReason =
  | "Terminating"
  | "StartupProbe"
  | "LivenessProbe"
  | "DefinitionChanged"
  | "Resize"
  | "Unknown"
  | "PodCompleted"
  | "RestartAllContainers";

export type ContainerKind = "init" | "sidecar" | "container" | "ephemeral";

/** One thing to do for a pod. Steps of one plan may be performed at the same time. */
export type Step =
  | { do: "mountVolumes" }
  | { do: "createSandbox"; attempt: number; changed: boolean }
  | { do: "stopSandbox"; sandboxId: string }
  | { do: "removeSandbox"; sandboxId: string }
  /** Makes the image present ahead of the start, while the sandbox is being made. */
  | { do: "pullImage"; container: string }
  | {
      do: "start";
      container: string;
      kind: ContainerKind;
      sandboxId: string;
      attempt: number;
      backoffMs: number;
      previousFinishedAtMs?: number;
    }
  /** Hook, signal, grace period; begins with the signal only once `after` have ended (or the grace period has). */
  | {
      do: "kill";
      containerId: string;
      container: string;
      graceS: number;
      reason: KillReason;
      message: string;
      after: readonly string[];
    }
  /** Brings cgroups to what the pod was given. */
  | { do: "resize" }
  /** Its log goes with it, unless it is to be kept until the pod goes. */
  | { do: "removeContainer"; containerId: string; container: string; logs?: "keep" }
  /** Fails the pod: it keeps its object, and nothing of it runs on. */
  | { do: "fail"; reason: string; message: string }
  /** Unmounts volumes; the pod will not run again. */
  | { do: "unmountVolumes" }
  /** Nothing of the pod runs and it is to go: remove what is left of it, and its object. */
  | { do: "finish" }
  /** Nothing to do for `container` (or the pod) before `untilMs`. */
  | { do: "wait"; untilMs: number; container?: string; backoffMs?: number };

/** Steps with the same key are never performed at once. */
export function keyOfStep(step: Step): string {
  switch (step.do) {
    case "mountVolumes":
    case "unmountVolumes":
      return "volumes";
    case "createSandbox":
      return "sandbox";
    case "stopSandbox":
    case "removeSandbox":
      return `sandbox/${step.sandboxId}`;
    case "pullImage":
      return `image/${step.container}`;
    case "start":
      return `container/${step.container}`;
    case "kill":
      return `kill/${step.containerId}`;
    case "removeContainer":
      return `remove/${step.containerId}`;
    case "resize":
    case "fail":
    case "finish":
    case "wait":
      return step.do;
  }
}
