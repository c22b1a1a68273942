import { claimsOfPod, type corev1, type storagev1 } from "../api/index.ts";
import type { IsRelatedToNode, NodeResource } from "./node-authorizer.ts";

/** What of the cluster is asked, from memory. */
export interface PodReferences {
  podsOnNode(nodeName: string): Iterable<corev1.Pod> | Promise<Iterable<corev1.Pod>>;
  getClaim(namespace: string, name: string): Promise<corev1.PersistentVolumeClaim | undefined>;
  getVolume(name: string): Promise<corev1.PersistentVolume | undefined>;
  getAttachment(name: string): Promise<storagev1.VolumeAttachment | undefined>;
}

/**
 * What a node's own pods refer to, by themselves or through their claims, asked anew each time: a node has some hundred
 * pods at most, and nothing has to be kept in step.
 */
export function relatedThroughPods(cluster: PodReferences): IsRelatedToNode {
  return async (nodeName, resource, namespace, name) => {
    const pods = [...(await cluster.podsOnNode(nodeName))].filter(({ spec }) => spec.nodeName === nodeName);
    if (resource === "persistentvolumes")
      return (await volumeNamesOf(cluster, pods)).includes(name) && namespace === undefined;
    if (resource === "volumeattachments")
      return (await cluster.getAttachment(name))?.spec.nodeName === nodeName;
    if (namespace === undefined) return false;
    if (pods.some((pod) => pod.metadata.namespace === namespace && refersTo(pod, resource, name)))
      return true;
    return resource === "secrets" && isSecretOfVolumes(cluster, pods, namespace, name);
  };
}

/** The persistent volumes that are bound to claims of the pods. */
async function volumeNamesOf({ getClaim }: PodReferences, pods: readonly corev1.Pod[]): Promise<string[]> {
  const claims = pods.flatMap((pod) =>
    claimsOfPod(pod).map(({ claimName }) => getClaim(pod.metadata.namespace!, claimName)),
  );
  return (await Promise.all(claims)).flatMap((claim) => claim?.spec?.volumeName ?? []);
}

/** What a volume's driver needs on the node, in whatever namespace it is. */
async function isSecretOfVolumes(
  cluster: PodReferences,
  pods: readonly corev1.Pod[],
  namespace: string,
  name: string,
): Promise<boolean> {
  const volumes = await Promise.all((await volumeNamesOf(cluster, pods)).map(cluster.getVolume));
  return volumes.some((volume) => {
    const { nodeExpandSecretRef, nodePublishSecretRef, nodeStageSecretRef } = volume?.spec?.csi ?? {};
    return [nodeExpandSecretRef, nodePublishSecretRef, nodeStageSecretRef].some(
      (ref) => ref?.name === name && ref.namespace === namespace,
    );
  });
}

function refersTo(pod: corev1.Pod, resource: NodeResource, name: string): boolean {
  const { metadata, spec } = pod;
  switch (resource) {
    case "pods":
      return metadata.name === name;
    case "serviceaccounts":
      return spec.serviceAccountName === name;
    case "secrets":
      return refersToSecret(spec, name);
    case "configmaps":
      return refersToConfigMap(spec, name);
    case "persistentvolumeclaims":
      return claimsOfPod(pod).some(({ claimName }) => claimName === name);
    case "resourceclaims":
      return (spec.resourceClaims ?? []).some((claim) => claim.resourceClaimName === name);
    case "persistentvolumes":
    case "volumeattachments":
    case "resourceslices":
      return false;
  }
}

type Environment = Pick<corev1.Container, "env" | "envFrom">;

const environmentsOf = (spec: corev1.PodSpec): readonly Environment[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...((spec.ephemeralContainers ?? []) as readonly Environment[]),
];

function refersToSecret(spec: corev1.PodSpec, name: string): boolean {
  return (
    (spec.imagePullSecrets ?? []).some((secret) => secret.name === name) ||
    (spec.volumes ?? []).some(
      (volume) =>
        volume.secret?.secretName === name ||
        volume.csi?.nodePublishSecretRef?.name === name ||
        (volume.projected?.sources ?? []).some((source) => source.secret?.name === name),
    ) ||
    environmentsOf(spec).some(
      ({ env = [], envFrom = [] }) =>
        env.some(({ valueFrom }) => valueFrom?.secretKeyRef?.name === name) ||
        envFrom.some(({ secretRef }) => secretRef?.name === name),
    )
  );
}

function refersToConfigMap(spec: corev1.PodSpec, name: string): boolean {
  return (
    (spec.volumes ?? []).some(
      (volume) =>
        volume.configMap?.name === name ||
        (volume.projected?.sources ?? []).some((source) => source.configMap?.name === name),
    ) ||
    environmentsOf(spec).some(
      ({ env = [], envFrom = [] }) =>
        env.some(({ valueFrom }) => valueFrom?.configMapKeyRef?.name === name) ||
        envFrom.some(({ configMapRef }) => configMapRef?.name === name),
    )
  );
}
