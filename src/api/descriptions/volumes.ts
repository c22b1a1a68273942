import type { Descriptions } from "./describe.ts";

export const volumeDescriptions: Descriptions = {
  "core/v1.Volume": `
    A directory that containers of the pod can mount: one of these kinds.
    name: The volume's name, unique in the pod.
    emptyDir: An empty directory that lives as long as the pod.
    configMap: The keys of a config map, as files.
    secret: The keys of a secret, as files, kept in memory.
    projected: Files from several sources in one directory.
    downwardAPI: Fields of the pod, as files.
    hostPath: A file or directory of the node. It lets the pod see and change the node.
    persistentVolumeClaim: Storage that outlives the pod, by its claim.
    ephemeral: Storage claimed for the pod, and gone with it.
    image: The contents of an image.
    nfs: A directory of an NFS server.
    csi: A volume of a CSI driver that lives as long as the pod.
  `,
  "core/v1.VolumeMount": `
    Where a volume appears in a container.
    name: The volume's name.
    mountPath: The path in the container.
    readOnly: The container cannot write to it.
    recursiveReadOnly: Whether that holds for what is mounted below it too.
    subPath: A path inside the volume that is mounted instead of its root.
    subPathExpr: The same, in which $(NAME) stands for an environment variable.
    mountPropagation: Whether mounts made later are seen on the other side: None, HostToContainer or Bidirectional.
  `,
  "core/v1.VolumeDevice": `
    Where a raw block device appears in a container.
    name: The volume's name.
    devicePath: The device's path in the container.
  `,
  "core/v1.EmptyDirVolumeSource": `
    An empty directory.
    medium: Memory keeps it in memory, which counts towards the containers' memory; else it is on the node's disk.
    sizeLimit: A pod that stores more is evicted.
  `,
  "core/v1.HostPathVolumeSource": `
    A path of the node.
    path: The path.
    type: What must be there, or is made: Directory, DirectoryOrCreate, File, FileOrCreate, Socket, CharDevice, BlockDevice.
  `,
  "core/v1.SecretVolumeSource": `
    The keys of a secret, as files.
    secretName: The secret's name.
    items: Only these keys, at these paths.
    defaultMode: The files' permissions; 0644 if not given.
    optional: Without the secret, the pod starts nevertheless.
  `,
  "core/v1.ConfigMapVolumeSource": `
    The keys of a config map, as files.
    name: The config map's name.
    items: Only these keys, at these paths.
    defaultMode: The files' permissions; 0644 if not given.
    optional: Without the config map, the pod starts nevertheless.
  `,
  "core/v1.KeyToPath": `
    A key, and the file it becomes.
    key: The key.
    path: The file's path in the volume.
    mode: The file's permissions, if not the volume's defaultMode.
  `,
  "core/v1.DownwardAPIVolumeSource": `
    Fields of the pod, as files.
    items: The files.
    defaultMode: The files' permissions; 0644 if not given.
  `,
  "core/v1.DownwardAPIVolumeFile": `
    A file with a field of the pod.
    path: The file's path in the volume.
    fieldRef: The field: of metadata only.
    resourceFieldRef: A container's request or limit.
    mode: The file's permissions, if not the volume's defaultMode.
  `,
  "core/v1.ProjectedVolumeSource": `
    Files from several sources in one directory.
    sources: The sources.
    defaultMode: The files' permissions; 0644 if not given.
  `,
  "core/v1.VolumeProjection": `
    One source of files.
    secret: The keys of a secret.
    configMap: The keys of a config map.
    downwardAPI: Fields of the pod.
    serviceAccountToken: A token of the pod's service account, renewed in time.
    clusterTrustBundle: Certificates that are trusted.
    podCertificate: A key and a certificate for the pod.
  `,
  "core/v1.SecretProjection": `
    The keys of a secret, as files.
    name: The secret's name.
    items: Only these keys, at these paths.
    optional: Without the secret, the pod starts nevertheless.
  `,
  "core/v1.ConfigMapProjection": `
    The keys of a config map, as files.
    name: The config map's name.
    items: Only these keys, at these paths.
    optional: Without the config map, the pod starts nevertheless.
  `,
  "core/v1.DownwardAPIProjection": `
    Fields of the pod, as files.
    items: The files.
  `,
  "core/v1.ServiceAccountTokenProjection": `
    A token of the pod's service account.
    audience: Whom the token is for; the API server if not given.
    expirationSeconds: How long it is valid, at least 600; 3600 if not given. It is renewed before that.
    path: The file's path in the volume.
  `,
  "core/v1.PersistentVolumeClaimVolumeSource": `
    Storage that outlives the pod.
    claimName: The claim's name.
    readOnly: No container can write to it.
  `,
  "core/v1.NFSVolumeSource": `
    A directory of an NFS server.
    server: The server.
    path: The directory.
    readOnly: No container can write to it.
  `,
  "core/v1.ImageVolumeSource": `
    The contents of an image.
    reference: The image.
    pullPolicy: Always, IfNotPresent or Never.
  `,
};
