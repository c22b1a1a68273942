import type { Descriptions } from "./describe.ts";

export const csiDescriptions: Descriptions = {
  "storage/v1.CSIDriver": `
    A driver of volumes that speaks CSI (Container Storage Interface); its name is the driver's own.
    spec: What the cluster has to know to use it.
  `,
  "storage/v1.CSIDriverSpec": `
    How a CSI driver wants to be used.
    attachRequired: Whether a volume is attached to its node, by a VolumeAttachment, before it is mounted there. Cannot be changed.
    podInfoOnMount: Whether the driver is told the name, namespace, uid and service account of the pod that a volume is for.
    volumeLifecycleModes: Persistent for volumes behind claims, Ephemeral for those written in a pod. Cannot be changed.
    storageCapacity: Whether pods that wait for a volume are placed by the capacity the driver reports.
    fsGroupPolicy: Whose business a pod's fsGroup is: File (always the kubelet's), None, or ReadWriteOnceWithFSType.
    tokenRequests: Tokens of the pod's service account that the driver is given.
    requiresRepublish: Whether NodePublishVolume is called again and again while the pod runs, to bring the volume up to date.
    seLinuxMount: Whether the driver can mount with an SELinux context.
    nodeAllocatableUpdatePeriodSeconds: How often the driver is asked anew how many volumes a node can have.
    serviceAccountTokenInSecrets: Whether tokens go to the driver with the secrets, and not with the volume's context.
    preventPodSchedulingIfMissing: Whether pods stay away from nodes that do not have the driver.
  `,
  "storage/v1.TokenRequest": `
    A token of a service account that a CSI driver wants.
    audience: Whom the token is for; empty for the API server.
    expirationSeconds: How long it is good for.
  `,
  "storage/v1.CSINode": `
    The CSI drivers that are registered on a node; has the node's name.
    spec: The drivers.
  `,
  "storage/v1.CSINodeSpec": `
    The CSI drivers of a node.
    drivers: Each as it registered with the node's kubelet.
  `,
  "storage/v1.CSINodeDriver": `
    A CSI driver on a node.
    name: The driver's name.
    nodeID: What the driver itself calls the node.
    topologyKeys: The labels by which the driver says from where its volumes can be reached; the node has values for them.
    allocatable: How many of its volumes the node can have.
  `,
  "storage/v1.VolumeNodeResources": `
    How many volumes a node can have.
    count: Unset: any number.
  `,
  "storage/v1.CSIStorageCapacity": `
    How much room a CSI driver says there is for volumes of one class in one part of the cluster.
    nodeTopology: Which nodes can reach the room. Cannot be changed.
    storageClassName: The class. Cannot be changed.
    capacity: How much there is in all.
    maximumVolumeSize: How large one volume can be.
  `,
  "storage/v1.VolumeAttachment": `
    The wish that a volume be attached to a node; who made the driver fulfils it, and writes what came of it to the status.
    spec: Which volume, by whom, and where. Cannot be changed.
  `,
  "storage/v1.VolumeAttachmentSpec": `
    A volume to be attached.
    attacher: The name of the driver that does it.
    source: The volume.
    nodeName: The node it is to be attached to.
  `,
  "storage/v1.VolumeAttachmentSource": `
    The volume to be attached: just one of the fields.
    persistentVolumeName: The name of a persistent volume.
    inlineVolumeSpec: The volume itself, of a pod that has it written in.
  `,
  "storage/v1.VolumeAttachmentStatus": `
    What came of an attachment.
    attached: Whether the volume is attached.
    attachmentMetadata: What the driver said of it; passed on to the node.
    attachError: Why it is not attached.
    detachError: Why it is not detached.
  `,
  "storage/v1.VolumeError": `
    A failure of a driver.
    time: When it was.
    message: What the driver said; without secrets.
    errorCode: The number of the gRPC status.
  `,
};
