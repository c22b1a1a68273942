import type { corev1 } from "../api/index.ts";
import type { IsRelatedToNode, NodeResource } from "./node-authorizer.ts";

/** The pods bound to a node, from memory; only those of the namespace need be given. */
export type PodsOnNode = (
  nodeName: string,
  namespace: string,
) => Iterable<corev1.Pod> | Promise<Iterable<corev1.Pod>>;

/**
 * What a node's own pods refer to, asked anew each time: a node has some hundred pods at most, and nothing has to be kept in step.
 * Persistent volumes and what else hangs on a claim are related to no node yet.
 */
export function relatedThroughPods(podsOnNode: PodsOnNode): IsRelatedToNode {
  return async (nodeName, resource, namespace, name) => {
    if (namespace === undefined) return false;
    for (const pod of await podsOnNode(nodeName, namespace)) {
      if (pod.metadata.namespace !== namespace || pod.spec.nodeName !== nodeName) continue;
      if (refersTo(pod, resource, name)) return true;
    }
    return false;
  };
}

function refersTo({ metadata, spec }: corev1.Pod, resource: NodeResource, name: string): boolean {
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
      return (spec.volumes ?? []).some(
        (volume) =>
          volume.persistentVolumeClaim?.claimName === name ||
          (volume.ephemeral !== undefined && `${metadata.name}-${volume.name}` === name),
      );
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
