import type { corev1 } from "../../../types/index.ts";

/** The claim that stands behind one of a pod's volumes. */
export interface PodClaim {
  volume: corev1.Volume;
  claimName: string;
  /** One of the pod's own, made for it and gone with it. */
  isEphemeral: boolean;
}

/** The claim behind a volume of the pod, if it is of that kind. */
export function claimOfVolume({ metadata }: corev1.Pod, volume: corev1.Volume): PodClaim | undefined {
  if (volume.persistentVolumeClaim)
    return { volume, claimName: volume.persistentVolumeClaim.claimName, isEphemeral: false };
  if (volume.ephemeral) return { volume, claimName: `${metadata.name}-${volume.name}`, isEphemeral: true };
  return undefined;
}

export const claimsOfPod = (pod: corev1.Pod): PodClaim[] =>
  (pod.spec?.volumes ?? [])
    .map((volume) => claimOfVolume(pod, volume))
    .filter((claim) => claim !== undefined);

/** Why a claim is not the pod's own, although it has the name of one; undefined when it is. */
export function notMadeForPod(pod: corev1.Pod, claim: corev1.PersistentVolumeClaim): string | undefined {
  const { metadata } = claim;
  const isOwner = (metadata.ownerReferences ?? []).some(
    ({ controller, uid }) => controller && uid === pod.metadata.uid,
  );
  return isOwner && metadata.namespace === pod.metadata.namespace
    ? undefined
    : `PVC ${metadata.namespace}/${metadata.name} was not created for pod ${pod.metadata.namespace}/${pod.metadata.name} (pod is not owner)`;
}
