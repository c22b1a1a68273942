import { type corev1, provisionedByAnnotation, provisionedFinalizer, type storagev1 } from "../api/index.ts";
import { parseQuantity } from "../machinery/index.ts";

type Claim = corev1.PersistentVolumeClaim;

/** As upstream names what is made for a claim: once for each, whoever makes it. */
export const volumeNameFor = ({ metadata }: Claim): string => `pvc-${metadata.uid}`;

/** The volume that stands for what was made at `path` on a node. */
export function provisionedVolume(options: {
  claim: Claim;
  storageClass: storagev1.StorageClass;
  provisioner: string;
  node: corev1.Node;
  path: string;
}): corev1.PersistentVolume {
  const { claim, node, path, provisioner, storageClass } = options;
  const { name, namespace, resourceVersion, uid } = claim.metadata;
  const { accessModes, resources, volumeMode } = claim.spec!;
  const isDeleted = storageClass.reclaimPolicy === "Delete";
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: {
      name: volumeNameFor(claim),
      annotations: { [provisionedByAnnotation]: provisioner },
      ...(isDeleted && { finalizers: [provisionedFinalizer] }),
    },
    spec: {
      capacity: { storage: resources!.requests!.storage! },
      accessModes,
      volumeMode,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
      storageClassName: storageClass.metadata.name,
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace, uid, resourceVersion },
      local: { path },
      nodeAffinity: { required: { nodeSelectorTerms: [termFor(node)] } },
    },
  };
}

/** By the label that every node has; it stays what it is when a node is made anew. */
function termFor({ metadata }: corev1.Node): corev1.NodeSelectorTerm {
  const key = "kubernetes.io/hostname";
  const host = metadata.labels?.[key];
  return host === undefined
    ? { matchFields: [{ key: "metadata.name", operator: "In", values: [metadata.name!] }] }
    : { matchExpressions: [{ key, operator: "In", values: [host] }] };
}

/** Why nothing can be made for a claim as it is; undefined when it can. */
export function refusalOf(
  { spec = {} }: Claim,
  { parameters = {}, mountOptions = [] }: storagev1.StorageClass,
  sizeBytesMax: number,
): string | undefined {
  const [parameter] = Object.keys(parameters);
  if (parameter !== undefined) return `unknown parameter "${parameter}"`;
  if (mountOptions.length > 0) return "mount options are not supported: a directory is not mounted";
  if (spec.selector) return "claim Selector is not supported";
  if (spec.dataSource || spec.dataSourceRef) return "a volume cannot be filled from another";
  if (spec.volumeAttributesClassName) return "volume attributes classes are not supported";
  const size = parseQuantity(spec.resources?.requests?.storage ?? "0");
  if (size.value() > sizeBytesMax)
    return `${size} were asked for, and the file system holds ${sizeBytesMax} bytes`;
  return undefined;
}

/** Whether a claim that has a volume asks for a larger one. */
export function wantsMore({ spec, status }: Claim): boolean {
  const wanted = parseQuantity(spec?.resources?.requests?.storage ?? "0");
  const present = status?.capacity?.storage;
  return status?.phase === "Bound" && present !== undefined && wanted.compare(parseQuantity(present)) > 0;
}
