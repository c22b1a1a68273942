import type { appsv1 } from "../../api/index.ts";
import {
  activeSets,
  byAge,
  isRolling,
  maxSurge,
  maxUnavailable,
  replicasOf,
  totalAvailable,
  totalReplicas,
} from "./counts.ts";
import { maxReplicasAnnotation } from "./revision.ts";

type Deployment = appsv1.Deployment;
type ReplicaSet = appsv1.ReplicaSet;

/** ReplicaSets to scale in this pass, in order. Empty: nothing to do until something changes. */
export type Scaling = { rs: ReplicaSet; replicas: number }[];

/** How large the new ReplicaSet may be now. As `deploymentutil.NewRSNewReplicas`. */
export function newSetReplicas(d: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = replicasOf(d);
  if (!isRolling(d)) return wanted;
  const room = wanted + maxSurge(d) - totalReplicas(all);
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

/** One step of a rolling update: first the new one up as far as it may, then the old ones down. Pure. */
export function rollingStep(d: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): Scaling {
  const all = [...old, newSet];
  const current = replicasOf(newSet);
  if (current > replicasOf(d)) return [{ rs: newSet, replicas: replicasOf(d) }];
  const replicas = newSetReplicas(d, all, current);
  if (replicas !== current) return [{ rs: newSet, replicas }];
  return scaleDownOld(d, newSet, activeSets(old));
}

function scaleDownOld(d: Deployment, newSet: ReplicaSet, old: readonly ReplicaSet[]): Scaling {
  if (totalReplicas(old) === 0) return [];
  const minAvailable = replicasOf(d) - maxUnavailable(d);
  const newUnavailable = replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0);
  let cleanable = totalReplicas([...old, newSet]) - minAvailable - newUnavailable;
  if (cleanable <= 0) return [];
  const sizes = new Map<ReplicaSet, number>();
  const oldest = [...old].sort(byAge);
  // What is unhealthy serves nobody: it goes first, and costs no availability.
  for (const rs of oldest) {
    const unhealthy = replicasOf(rs) - (rs.status?.availableReplicas ?? 0);
    const down = Math.min(cleanable, Math.max(unhealthy, 0));
    sizes.set(rs, replicasOf(rs) - down);
    cleanable -= down;
  }
  let spare = totalAvailable([...old, newSet]) - minAvailable;
  for (const rs of oldest) {
    const down = Math.min(sizes.get(rs)!, Math.max(spare, 0));
    sizes.set(rs, sizes.get(rs)! - down);
    spare -= down;
  }
  return [...sizes]
    .filter(([rs, replicas]) => replicas !== replicasOf(rs))
    .map(([rs, replicas]) => ({ rs, replicas }));
}

/**
 * A Deployment that is paused, or whose `replicas` changed in the middle of a rollout: every active ReplicaSet keeps
 * its share. As `DeploymentController.scale`. Pure.
 */
export function proportionalStep(
  d: Deployment,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Scaling {
  const all = newSet ? [...old, newSet] : [...old];
  const active = activeSets(all);
  if (active.length <= 1) {
    const only = active[0] ?? newSet ?? [...old].sort(byAge).at(-1);
    return only && replicasOf(only) !== replicasOf(d) ? [{ rs: only, replicas: replicasOf(d) }] : [];
  }
  if (newSet && isSaturated(d, newSet)) return activeSets(old).map((rs) => ({ rs, replicas: 0 }));
  if (!isRolling(d)) return [];
  const allowed = replicasOf(d) > 0 ? replicasOf(d) + maxSurge(d) : 0;
  const toAdd = allowed - totalReplicas(active);
  // Larger ones first; among equals the newer when growing, the older when shrinking.
  active.sort((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  let added = 0;
  const sizes = active.map((rs) => {
    const share = toAdd === 0 ? 0 : shareOf(d, rs, toAdd, added);
    added += share;
    return replicasOf(rs) + share;
  });
  sizes[0] = Math.max(0, sizes[0]! + toAdd - added);
  return active.map((rs, i) => ({ rs, replicas: sizes[i]! }));
}

function shareOf(d: Deployment, rs: ReplicaSet, toAdd: number, added: number): number {
  if (replicasOf(rs) === 0) return 0;
  const fraction = newSize(d, rs) - replicasOf(rs);
  const left = toAdd - added;
  return toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left);
}

function newSize(d: Deployment, rs: ReplicaSet): number {
  if (replicasOf(d) === 0) return 0;
  const before = Number(rs.metadata.annotations?.[maxReplicasAnnotation] ?? d.status?.replicas ?? 0);
  if (before === 0) return replicasOf(rs);
  return Math.round((replicasOf(rs) * (replicasOf(d) + maxSurge(d))) / before);
}

/** The new ReplicaSet is at full size and all of it is available. */
export function isSaturated(d: Deployment, rs: ReplicaSet): boolean {
  const desired = Number(rs.metadata.annotations?.["deployment.kubernetes.io/desired-replicas"]);
  return (
    replicasOf(rs) === replicasOf(d) &&
    desired === replicasOf(d) &&
    rs.status?.availableReplicas === replicasOf(d)
  );
}

/** Whether the last write of sizes was for other `replicas`: then this is a scaling, not a rollout. */
export function isScaling(d: Deployment, all: readonly ReplicaSet[]): boolean {
  return activeSets(all).some((rs) => {
    const desired = rs.metadata.annotations?.["deployment.kubernetes.io/desired-replicas"];
    return desired !== undefined && Number(desired) !== replicasOf(d);
  });
}
