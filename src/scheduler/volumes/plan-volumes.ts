import {
  classOfClaim,
  type corev1,
  findMatchingVolume,
  isReachableFrom,
  selectedNodeAnnotation,
  type storagev1,
} from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import type { PodClaims } from "./pod-claims.ts";
import { hasRoomFor } from "./storage-capacity.ts";
import type { VolumeView } from "./volume-view.ts";

type Claim = corev1.PersistentVolumeClaim;
type Volume = corev1.PersistentVolume;

/** What is to be done for a pod's claims before it runs on a node. */
export interface VolumePlan {
  /** Volumes that are there, and the claims they are chosen for. */
  bind: { claim: Claim; volume: Volume }[];
  /** Claims whose volumes are to be made, for this node. */
  provision: Claim[];
}

/** As upstream's `ConflictReason`s. */
const noMatch = "node(s) didn't find available persistent volumes to bind";
const unreachable = "node(s) didn't match PersistentVolume's node affinity";
const noRoom = "node(s) did not have enough free storage";
const lost = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

/**
 * Which volumes a pod's claims get if it runs on the node, or why it can't. Pure. Counterpart upstream:
 * `volumebinding.FindPodVolumes`.
 */
export function planVolumes(
  { bound, waiting }: PodClaims,
  node: corev1.Node,
  view: VolumeView,
): VolumePlan | { reasons: string[] } {
  const volumes = bound.map((claim) => view.volume(claim.spec!.volumeName!));
  const reasons = [
    ...(volumes.some((volume) => volume && !isReachableFrom(volume, node)) ? [unreachable] : []),
    ...(volumes.includes(undefined) ? [lost] : []),
  ];
  const plan = planWaiting(waiting, node, view);
  if ("reason" in plan) reasons.unshift(plan.reason);
  return "reason" in plan || reasons.length > 0 ? { reasons: reasons.sort() } : plan;
}

function planWaiting(
  claims: readonly Claim[],
  node: corev1.Node,
  view: VolumeView,
): VolumePlan | { reason: string } {
  const plan: VolumePlan = { bind: [], provision: [] };
  const excluded = new Set<string>();
  // The smallest first: they leave the larger ones to those that need them.
  for (const claim of [...claims].sort((a, b) => sizeOf(a).compare(sizeOf(b)))) {
    const selected = claim.metadata.annotations?.[selectedNodeAnnotation];
    if (selected !== undefined && selected !== node.metadata.name) return { reason: noMatch };
    const volume =
      selected === undefined
        ? findMatchingVolume(claim, view.volumesOfClass(classOfClaim(claim)), { node, excluded })
        : undefined;
    if (volume) {
      excluded.add(volume.metadata.name!);
      plan.bind.push({ claim, volume });
    } else plan.provision.push(claim);
  }
  for (const claim of plan.provision) {
    const found = view.storageClass(classOfClaim(claim));
    if (!canProvision(found, node)) return { reason: noMatch };
    if (!hasRoomFor(claim, found, node, view)) return { reason: noRoom };
  }
  return plan;
}

const sizeOf = ({ spec }: Claim) => parseQuantity(spec?.resources?.requests?.storage ?? "0");

const madeByHand = "kubernetes.io/no-provisioner";

/** Whether the class has somebody who makes volumes, and lets them be made for the node. */
function canProvision(
  found: storagev1.StorageClass | undefined,
  node: corev1.Node,
): found is storagev1.StorageClass {
  if (!found?.provisioner || found.provisioner === madeByHand) return false;
  const terms = found.allowedTopologies ?? [];
  const labels = node.metadata.labels ?? {};
  return (
    terms.length === 0 ||
    terms.some(({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.every(
        ({ key, values }) => labels[key] !== undefined && values.includes(labels[key]),
      ),
    )
  );
}
