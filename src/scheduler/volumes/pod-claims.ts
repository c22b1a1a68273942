import {
  bindCompletedAnnotation,
  claimsOfPod,
  classOfClaim,
  type corev1,
  notMadeForPod,
} from "../../api/index.ts";
import type { VolumeView } from "./volume-view.ts";

type Claim = corev1.PersistentVolumeClaim;

/** The claims of a pod, by what is still to be done for them. */
export interface PodClaims {
  bound: Claim[];
  /** Which volume they get is decided with the pod's node. */
  waiting: Claim[];
}

export const isBound = ({ metadata, spec }: Claim): boolean =>
  Boolean(spec?.volumeName) && metadata.annotations?.[bindCompletedAnnotation] !== undefined;

/** A pod's claims, or why no node can run it as they are, in upstream's words. */
export function claimsToPlace(pod: corev1.Pod, view: VolumeView): PodClaims | { missing: string } {
  const found: PodClaims = { bound: [], waiting: [] };
  const { namespace } = pod.metadata;
  let isUnbound = false;
  for (const { claimName, isEphemeral } of claimsOfPod(pod)) {
    const claim = view.claim(namespace!, claimName);
    const name = JSON.stringify(claimName);
    if (!claim)
      return {
        missing: isEphemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${name}`
          : `persistentvolumeclaim ${name} not found`,
      };
    if (claim.status?.phase === "Lost")
      return {
        missing: `persistentvolumeclaim ${name} bound to non-existent persistentvolume ${JSON.stringify(claim.spec?.volumeName ?? "")}`,
      };
    if (claim.metadata.deletionTimestamp)
      return { missing: `persistentvolumeclaim ${name} is being deleted` };
    const stranger = isEphemeral && notMadeForPod(pod, claim);
    if (stranger) return { missing: stranger };
    if (isBound(claim)) found.bound.push(claim);
    else if (waitsForPod(claim, view)) found.waiting.push(claim);
    else isUnbound = true;
  }
  return isUnbound ? { missing: "pod has unbound immediate PersistentVolumeClaims" } : found;
}

const waitsForPod = (claim: Claim, view: VolumeView) =>
  !claim.spec?.volumeName &&
  view.storageClass(classOfClaim(claim))?.volumeBindingMode === "WaitForFirstConsumer";
