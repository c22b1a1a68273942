import { type corev1, isSidecar } from "../../api/index.ts";

import type { PodPhase } from "./phase.ts";

/** A condition before its transition time is known. */
export type Condition = Pick<corev1.PodCondition, "type" | "status" | "reason" | "message">;

/** Conditions that the node's agent alone writes. */
export const kubeletConditions: readonly string[] = [
  "PodScheduled",
  "PodReadyToStartContainers",
  "Initialized",
  "ContainersReady",
  "Ready",
  "PodResizePending",
  "PodResizeInProgress",
  "AllContainersRestarting",
];

const listed = (names: readonly string[]) => `[${names.join(" ")}]`;

function sayWhich(unknown: readonly string[], lacking: readonly string[], lack: string): string {
  const parts: string[] = [];
  if (unknown.length > 0) parts.push(`containers with unknown status: ${listed(unknown)}`);
  if (lacking.length > 0) parts.push(`containers with ${lack} status: ${listed(lacking)}`);
  return parts.join(", ");
}

/** As kubelet's GenerateContainersReadyCondition. */
export function containersReady(
  spec: corev1.PodSpec,
  statuses: readonly corev1.ContainerStatus[],
  phase: PodPhase,
): Condition {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const counted = [...(spec.initContainers ?? []).filter(isSidecar), ...spec.containers];
  const unknown = counted.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
  const unready = counted.filter(({ name }) => byName.get(name)?.ready === false).map(({ name }) => name);
  const type = "ContainersReady";
  if (phase === "Succeeded" && unknown.length === 0) return { type, status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { type, status: "False", reason: "PodFailed" };
  const message = sayWhich(unknown, unready, "unready");
  return message
    ? { type, status: "False", reason: "ContainersNotReady", message }
    : { type, status: "True" };
}

/** As kubelet's GeneratePodReadyCondition; `others` are where readiness gates are looked up. */
export function ready(
  spec: corev1.PodSpec,
  containers: Condition,
  others: readonly corev1.PodCondition[],
): Condition {
  const type = "Ready";
  if (containers.status !== "True") return { ...containers, type };
  const messages: string[] = [];
  for (const { conditionType } of spec.readinessGates ?? []) {
    const condition = others.find((other) => other.type === conditionType);
    if (!condition)
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (condition.status !== "True") {
      messages.push(
        `the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`,
      );
    }
  }
  return messages.length > 0
    ? { type, status: "False", reason: "ReadinessGatesNotReady", message: messages.join(", ") }
    : { type, status: "True" };
}

/** As kubelet's GeneratePodInitializedCondition. */
export function initialized(
  spec: corev1.PodSpec,
  statuses: readonly corev1.ContainerStatus[],
  phase: PodPhase,
  previous: corev1.PodStatus,
): Condition {
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const inits = spec.initContainers ?? [];
  const unknown = inits.filter(({ name }) => !byName.has(name)).map(({ name }) => name);
  const incomplete = inits
    .filter((container) => {
      const status = byName.get(container.name);
      return status !== undefined && !(isSidecar(container) ? status.started === true : status.ready);
    })
    .map(({ name }) => name);
  const type = "Initialized";
  if (phase === "Succeeded" && unknown.length === 0) return { type, status: "True", reason: "PodCompleted" };
  const mains = new Set(spec.containers.map(({ name }) => name));
  const ran = statuses.some(({ name, state }) => mains.has(name) && (state?.running || state?.terminated));
  if (ran) return { type, status: "True" };
  const message = sayWhich(unknown, incomplete, "incomplete");
  // A pod is initialized once, even if its init containers run again.
  const isKept = previous.conditions?.some((before) => before.type === type && before.status === "True");
  return message && !isKept
    ? { type, status: "False", reason: "ContainersNotInitialized", message }
    : { type, status: "True" };
}
