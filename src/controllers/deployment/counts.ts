import type { appsv1 } from "../../api/index.ts";

type Deployment = appsv1.Deployment;
type ReplicaSet = appsv1.ReplicaSet;

export const replicasOf = (object: Deployment | ReplicaSet) => object.spec?.replicas ?? 1;

export const totalReplicas = (sets: readonly ReplicaSet[]) =>
  sets.reduce((sum, rs) => sum + replicasOf(rs), 0);

export const totalAvailable = (sets: readonly ReplicaSet[]) =>
  sets.reduce((sum, rs) => sum + (rs.status?.availableReplicas ?? 0), 0);

export const activeSets = (sets: readonly ReplicaSet[]) => sets.filter((rs) => replicasOf(rs) > 0);

export const isRolling = (d: Deployment) => (d.spec!.strategy?.type ?? "RollingUpdate") === "RollingUpdate";

/** A number, or a percentage of `total`, rounded as told. */
function scaled(value: number | string | undefined, total: number, round: (x: number) => number): number {
  if (typeof value === "string" && value.endsWith("%"))
    return round((Number(value.slice(0, -1)) * total) / 100);
  return Number(value ?? 0);
}

/** How many pods more than asked for may exist. */
export function maxSurge(d: Deployment): number {
  return isRolling(d) ? scaled(d.spec!.strategy?.rollingUpdate?.maxSurge, replicasOf(d), Math.ceil) : 0;
}

/** How many pods fewer than asked for may be available. Never 0 together with a surge of 0: nothing could move. */
export function maxUnavailable(d: Deployment): number {
  if (!isRolling(d) || replicasOf(d) === 0) return 0;
  const value = scaled(d.spec!.strategy?.rollingUpdate?.maxUnavailable, replicasOf(d), Math.floor);
  const least = value === 0 && maxSurge(d) === 0 ? 1 : value;
  return Math.min(least, replicasOf(d));
}

export const byAge = (a: ReplicaSet, b: ReplicaSet) =>
  Date.parse(a.metadata.creationTimestamp!) - Date.parse(b.metadata.creationTimestamp!) ||
  (a.metadata.name! < b.metadata.name! ? -1 : 1);
