import type { corev1 } from "../../../index.ts";
import type { AnyContainer } from "./validation/context.ts";

/**
 * What becomes of each feature of a pod's spec here: a field that is accepted and then silently ignored would be a
 * defect. One row a feature; to make one work, change its row.
 */
export type PodFeature =
  | { field: string; support: "works" }
  /** Accepted; the client gets a `Warning` that says what does not happen. */
  | ({ field: string; support: "warned"; text: string } & Use)
  /** Refused: the pod could never run as it is written. */
  | ({ field: string; support: "rejected"; text: string } & Use);

/** Whether a spec, one of its volumes or one of its containers uses the feature; `at` is the path below that. */
type Use =
  | { of: "spec"; at: string; isUsed(spec: corev1.PodSpec): boolean }
  | { of: "volume"; at: string; isUsed(volume: corev1.Volume): boolean }
  | { of: "container"; at: string; isUsed(container: AnyContainer): boolean };

const works = (...fields: string[]): PodFeature[] => fields.map((field) => ({ field, support: "works" }));

type SpecField = keyof corev1.PodSpec;
type VolumeField = Exclude<keyof corev1.Volume, "name">;

const isSet = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);

const spec = (
  support: "warned" | "rejected",
  at: SpecField,
  text: string,
  isUsed: (spec: corev1.PodSpec) => boolean = (value) => isSet(value[at]),
): PodFeature => ({ field: `spec.${at}`, support, text, of: "spec", at, isUsed });

const volume = (at: VolumeField, text: string): PodFeature => ({
  field: `spec.volumes[*].${at}`,
  support: "rejected",
  text,
  of: "volume",
  at,
  isUsed: (value) => value[at] !== undefined,
});

const container = (
  support: "warned" | "rejected",
  at: string,
  text: string,
  isUsed: (container: AnyContainer) => boolean,
): PodFeature => ({ field: `spec.containers[*].${at}`, support, text, of: "container", at, isUsed });

const noSuchMount = (what: string) => `nodes of this cluster cannot mount ${what}`;
const noDevices = "dynamic resource allocation is not served yet";

/** The published table. */
export const podFeatures: readonly PodFeature[] = [
  // Lifecycle
  ...works(
    "spec.activeDeadlineSeconds",
    "spec.restartPolicy",
    "spec.terminationGracePeriodSeconds",
    "spec.os.name",
    "spec.containers",
    "spec.initContainers",
    "spec.ephemeralContainers",
    "spec.ephemeralContainers[*].targetContainerName",
    "spec.overhead",
    "spec.runtimeClassName",
  ),
  spec(
    "warned",
    "os",
    "there are no Windows nodes; the node that is to run the pod fails it with PodOSNotSupported",
    ({ os }) => os?.name === "windows",
  ),
  spec("warned", "schedulingGroup", "gang scheduling is not done; the pod is scheduled by itself"),

  // Containers
  ...works(
    "spec.containers[*].command",
    "spec.containers[*].args",
    "spec.containers[*].workingDir",
    "spec.containers[*].stdin",
    "spec.containers[*].stdinOnce",
    "spec.containers[*].tty",
    "spec.containers[*].imagePullPolicy",
    "spec.imagePullSecrets",
    "spec.containers[*].env",
    "spec.containers[*].envFrom",
    "spec.containers[*].terminationMessagePath",
    "spec.containers[*].terminationMessagePolicy",
    "spec.containers[*].livenessProbe",
    "spec.containers[*].readinessProbe",
    "spec.containers[*].startupProbe",
    "spec.containers[*].lifecycle.postStart",
    "spec.containers[*].lifecycle.preStop",
    "spec.containers[*].lifecycle.stopSignal",
    "spec.containers[*].restartPolicy",
    "spec.containers[*].restartPolicyRules",
    "spec.containers[*].resizePolicy",
    "spec.readinessGates",
    "spec.enableServiceLinks",
  ),

  // Volumes
  ...works(
    "spec.volumes[*].emptyDir",
    "spec.volumes[*].emptyDir.sizeLimit",
    "spec.volumes[*].hostPath",
    "spec.volumes[*].configMap",
    "spec.volumes[*].secret",
    "spec.volumes[*].downwardAPI",
    "spec.volumes[*].projected",
    "spec.volumes[*].persistentVolumeClaim",
    "spec.volumes[*].ephemeral",
    "spec.volumes[*].nfs",
    "spec.volumes[*].image",
    "spec.volumes[*].csi",
    "spec.containers[*].volumeMounts",
    "spec.containers[*].volumeDevices",
    "spec.containers[*].volumeMounts[*].subPath",
    "spec.containers[*].volumeMounts[*].subPathExpr",
    "spec.containers[*].volumeMounts[*].mountPropagation",
    "spec.containers[*].volumeMounts[*].recursiveReadOnly",
  ),
  volume("iscsi", noSuchMount("iSCSI")),
  volume("fc", noSuchMount("Fibre Channel")),
  volume("flexVolume", noSuchMount("FlexVolumes")),
  volume("gitRepo", "gitRepo is disabled in Kubernetes since v1.33; clone in an init container instead"),
  volume("gcePersistentDisk", noSuchMount("GCE disks")),
  volume("awsElasticBlockStore", noSuchMount("EBS volumes")),
  volume("azureDisk", noSuchMount("Azure disks")),
  volume("azureFile", noSuchMount("Azure files")),
  volume("cinder", noSuchMount("Cinder volumes")),
  volume("vsphereVolume", noSuchMount("vSphere volumes")),
  volume("portworxVolume", noSuchMount("Portworx volumes")),
  volume("photonPersistentDisk", noSuchMount("Photon disks")),
  volume("scaleIO", noSuchMount("ScaleIO volumes")),
  volume("storageos", noSuchMount("StorageOS volumes")),
  volume("quobyte", noSuchMount("Quobyte volumes")),
  volume("glusterfs", noSuchMount("GlusterFS")),
  volume("flocker", noSuchMount("Flocker volumes")),
  volume("rbd", noSuchMount("Ceph RBD")),
  volume("cephfs", noSuchMount("CephFS")),
  {
    field: "spec.volumes[*].projected.sources[*].clusterTrustBundle",
    support: "rejected",
    text: "cluster trust bundles are beta and off in Kubernetes v1.36, and not served here",
    of: "volume",
    at: "projected.sources",
    isUsed: ({ projected }) => projected?.sources?.some((source) => source.clusterTrustBundle) ?? false,
  },
  {
    field: "spec.volumes[*].projected.sources[*].podCertificate",
    support: "rejected",
    text: "pod certificates are beta and off in Kubernetes v1.36, and not served here",
    of: "volume",
    at: "projected.sources",
    isUsed: ({ projected }) => projected?.sources?.some((source) => source.podCertificate) ?? false,
  },

  // Networking and DNS
  ...works(
    "spec.hostNetwork",
    "spec.hostPID",
    "spec.hostIPC",
    "spec.shareProcessNamespace",
    "spec.hostname",
    "spec.subdomain",
    "spec.setHostnameAsFQDN",
    "spec.hostnameOverride",
    "spec.hostAliases",
    "spec.dnsPolicy",
    "spec.dnsConfig",
    "spec.containers[*].ports",
  ),

  // Security
  ...works(
    "spec.hostUsers",
    "spec.serviceAccountName",
    "spec.automountServiceAccountToken",
    "spec.securityContext.runAsUser",
    "spec.securityContext.runAsGroup",
    "spec.securityContext.runAsNonRoot",
    "spec.securityContext.supplementalGroups",
    "spec.securityContext.supplementalGroupsPolicy",
    "spec.securityContext.fsGroup",
    "spec.securityContext.fsGroupChangePolicy",
    "spec.securityContext.seccompProfile",
    "spec.securityContext.sysctls",
    "spec.securityContext.appArmorProfile",
    "spec.securityContext.seLinuxOptions",
    "spec.containers[*].securityContext.privileged",
    "spec.containers[*].securityContext.procMount",
    "spec.containers[*].securityContext.capabilities",
    "spec.containers[*].securityContext.readOnlyRootFilesystem",
    "spec.containers[*].securityContext.allowPrivilegeEscalation",
  ),
  {
    field: "spec.securityContext.windowsOptions",
    support: "warned",
    text: "there are no Windows nodes",
    of: "spec",
    at: "securityContext.windowsOptions",
    isUsed: ({ securityContext }) => securityContext?.windowsOptions !== undefined,
  },
  container(
    "warned",
    "securityContext.windowsOptions",
    "there are no Windows nodes",
    ({ securityContext }) => securityContext?.windowsOptions !== undefined,
  ),

  // Resources
  ...works(
    "spec.resources",
    "spec.containers[*].resources.limits.cpu",
    "spec.containers[*].resources.limits.memory",
    "spec.containers[*].resources.limits[ephemeral-storage]",
    "spec.containers[*].resources.limits[hugepages-*]",
    "spec.containers[*].resources.requests",
  ),
  container("rejected", "resources.claims", noDevices, ({ resources }) => isSet(resources?.claims)),
  spec("rejected", "resourceClaims", noDevices),

  // Scheduling
  ...works(
    "spec.nodeName",
    "spec.nodeSelector",
    "spec.schedulerName",
    "spec.tolerations",
    "spec.schedulingGates",
    "spec.affinity",
    "spec.affinity.nodeAffinity",
    "spec.topologySpreadConstraints",
    "spec.priorityClassName",
    "spec.preemptionPolicy",
  ),
];
