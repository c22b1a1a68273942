import type { corev1 } from "../../../index.ts";

/** On a static pod: the hash of its manifest, and where that came from. */
export const configHashAnnotation = "kubernetes.io/config.hash";
export const configSourceAnnotation = "kubernetes.io/config.source";
export const configSeenAnnotation = "kubernetes.io/config.seen";
/** On a mirror pod: the hash of the static pod it shows. */
export const mirrorPodAnnotation = "kubernetes.io/config.mirror";

/** Whether a node runs the pod of its own accord, from a file. */
export const isStaticPod = (pod: corev1.Pod): boolean =>
  pod.metadata.annotations?.[configSourceAnnotation] === "file" && !isMirrorPod(pod);

/** Whether the pod only shows a static pod that some node runs of its own accord. */
export const isMirrorPod = (pod: corev1.Pod): boolean =>
  pod.metadata.annotations !== undefined && mirrorPodAnnotation in pod.metadata.annotations;

/** The first kind of object of the API that the pod's spec refers to: a node could use one to read what it may not. */
export function referredKind({ spec }: corev1.Pod): string | undefined {
  if (spec.serviceAccountName) return "serviceaccounts";
  if (spec.imagePullSecrets?.length) return "secrets";
  for (const { env = [], envFrom = [] } of containersOf(spec)) {
    if (env.some(({ valueFrom }) => valueFrom?.secretKeyRef) || envFrom.some(({ secretRef }) => secretRef))
      return "secrets";
    if (
      env.some(({ valueFrom }) => valueFrom?.configMapKeyRef) ||
      envFrom.some(({ configMapRef }) => configMapRef)
    ) {
      return "configmaps";
    }
  }
  for (const volume of spec.volumes ?? []) {
    if (volume.secret) return "secrets";
    if (volume.configMap) return "configmaps";
    if (volume.persistentVolumeClaim || volume.ephemeral) return "persistentvolumeclaims";
    for (const source of volume.projected?.sources ?? []) {
      if (source.secret) return "secrets";
      if (source.configMap) return "configmaps";
      if (source.serviceAccountToken) return "serviceaccounts";
      if (source.clusterTrustBundle) return "clustertrustbundles";
    }
  }
  return spec.resourceClaims?.length ? "resourceclaims" : undefined;
}

/** All of a pod's containers, in the order in which they start. */
export const containersOf = (spec: corev1.PodSpec): readonly corev1.Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...((spec.ephemeralContainers ?? []) as unknown as corev1.Container[]),
];
