import type { appsv1 } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { maxUnavailable, replicasOf, totalAvailable, totalReplicas } from "./counts.ts";

type Deployment = appsv1.Deployment;
type ReplicaSet = appsv1.ReplicaSet;
type Condition = appsv1.DeploymentCondition;

/** Above this a deadline means: none. */
const noDeadline = 2 ** 31 - 1;
export const hasDeadline = (d: Deployment) =>
  d.spec!.progressDeadlineSeconds !== undefined && d.spec!.progressDeadlineSeconds !== noDeadline;

export const conditionOf = (status: appsv1.DeploymentStatus | undefined, type: string) =>
  status?.conditions?.find((c) => c.type === type);

export interface ConditionChange {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
}

/** With `change` set: same status and reason is no change, and the transition time moves only with the status. */
export function withCondition(
  conditions: readonly Condition[],
  change: ConditionChange,
  nowMs: number,
): Condition[] {
  const known = conditions.find((c) => c.type === change.type);
  if (known?.status === change.status && known.reason === change.reason) return [...conditions];
  const now = formatTime(nowMs);
  const transition = known?.status === change.status ? known.lastTransitionTime : now;
  return [
    ...conditions.filter((c) => c.type !== change.type),
    { ...change, lastUpdateTime: now, lastTransitionTime: transition },
  ];
}

/** All asked for are there, are of the newest template, are available, and no old one is left. */
export function isComplete(d: Deployment, status: appsv1.DeploymentStatus): boolean {
  return (
    (status.updatedReplicas ?? 0) === replicasOf(d) &&
    (status.replicas ?? 0) === replicasOf(d) &&
    (status.availableReplicas ?? 0) === replicasOf(d) &&
    (status.observedGeneration ?? 0) >= (d.metadata.generation ?? 0)
  );
}

/** The status that these ReplicaSets give a Deployment. Pure. As `calculateStatus` and `syncRolloutStatus`. */
export function deploymentStatus(
  d: Deployment,
  newSet: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  nowMs: number,
): appsv1.DeploymentStatus {
  const sum = (pick: (status: appsv1.ReplicaSetStatus) => number | undefined, sets = all) =>
    sets.reduce((total, rs) => total + (pick(rs.status ?? { replicas: 0 }) ?? 0), 0);
  const available = totalAvailable(all);
  const unavailable = Math.max(0, totalReplicas(all) - available);
  const status: appsv1.DeploymentStatus = {
    observedGeneration: d.metadata.generation,
    ...nonZero({
      replicas: sum((s) => s.replicas),
      updatedReplicas: newSet ? (newSet.status?.replicas ?? 0) : 0,
      readyReplicas: sum((s) => s.readyReplicas),
      availableReplicas: available,
      unavailableReplicas: unavailable,
    }),
    terminatingReplicas: sum((s) => s.terminatingReplicas),
    ...(d.status?.collisionCount !== undefined && { collisionCount: d.status.collisionCount }),
  };
  const isAvailable = available >= replicasOf(d) - maxUnavailable(d);
  const conditions = withCondition(
    d.status?.conditions ?? [],
    isAvailable
      ? {
          type: "Available",
          status: "True",
          reason: "MinimumReplicasAvailable",
          message: "Deployment has minimum availability.",
        }
      : {
          type: "Available",
          status: "False",
          reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.",
        },
    nowMs,
  );
  return { ...status, conditions };
}

function nonZero(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}

/** With the Progressing and ReplicaFailure conditions of a rollout under way. Pure. */
export function withProgress(
  d: Deployment,
  status: appsv1.DeploymentStatus,
  newSet: ReplicaSet | undefined,
  all: readonly ReplicaSet[],
  nowMs: number,
): appsv1.DeploymentStatus {
  let conditions = status.conditions ?? [];
  const current = conditionOf(d.status, "Progressing");
  const subject = newSet ? `ReplicaSet "${newSet.metadata.name}"` : `Deployment "${d.metadata.name}"`;
  const done =
    (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === "NewReplicaSetAvailable";
  if (!hasDeadline(d)) {
    conditions = conditions.filter((c) => c.type !== "Progressing");
  } else if (!done) {
    if (isComplete(d, status)) {
      conditions = withCondition(
        conditions,
        {
          type: "Progressing",
          status: "True",
          reason: "NewReplicaSetAvailable",
          message: `${subject} has successfully progressed.`,
        },
        nowMs,
      );
    } else if (madeProgress(d, status)) {
      const now = formatTime(nowMs);
      conditions = [
        ...conditions.filter((c) => c.type !== "Progressing"),
        {
          type: "Progressing",
          status: "True",
          reason: "ReplicaSetUpdated",
          message: `${subject} is progressing.`,
          lastUpdateTime: now,
          lastTransitionTime: current?.status === "True" ? current.lastTransitionTime : now,
        },
      ];
    } else if (timedOutInMs(d, status, nowMs) <= 0) {
      conditions = withCondition(
        conditions,
        {
          type: "Progressing",
          status: "False",
          reason: "ProgressDeadlineExceeded",
          message: `${subject} has timed out progressing.`,
        },
        nowMs,
      );
    }
  }
  const failure = [...(newSet ? [newSet] : []), ...all]
    .flatMap((rs) => rs.status?.conditions ?? [])
    .find((c) => c.type === "ReplicaFailure");
  conditions = conditions.filter((c) => c.type !== "ReplicaFailure");
  if (failure) {
    const known = conditionOf(d.status, "ReplicaFailure");
    const now = formatTime(nowMs);
    conditions.push(
      known?.reason === failure.reason && known?.status === failure.status
        ? known
        : { ...(failure as Condition), lastUpdateTime: now },
    );
  }
  return { ...status, conditions };
}

function madeProgress(d: Deployment, status: appsv1.DeploymentStatus): boolean {
  const before = d.status ?? {};
  const old = (s: appsv1.DeploymentStatus) => (s.replicas ?? 0) - (s.updatedReplicas ?? 0);
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(status) < old(before) ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** Until the rollout counts as stuck; infinite when it cannot. */
export function timedOutInMs(d: Deployment, status: appsv1.DeploymentStatus, nowMs: number): number {
  const current = conditionOf(d.status, "Progressing");
  if (!hasDeadline(d) || !current || d.spec!.paused) return Number.POSITIVE_INFINITY;
  if (current.reason === "NewReplicaSetAvailable" || isComplete(d, status)) return Number.POSITIVE_INFINITY;
  if (current.reason === "ProgressDeadlineExceeded") return Number.POSITIVE_INFINITY;
  return Date.parse(current.lastUpdateTime!) + d.spec!.progressDeadlineSeconds! * 1000 - nowMs;
}
