/*
 * The messages of CSI v1 (`container-storage-interface/spec`) that an agent sends a driver, and those with which a
 * plugin registers (`k8s.io/kubelet/pkg/apis/pluginregistration/v1`): names and numbers of fields, as they are on the
 * wire. Of the controller's service there is what a stand-in for the provisioner and the attacher needs.
 */

export const enums = {
  NodeCapability: [
    "UNKNOWN",
    "STAGE_UNSTAGE_VOLUME",
    "GET_VOLUME_STATS",
    "EXPAND_VOLUME",
    "SINGLE_NODE_MULTI_WRITER",
    "VOLUME_CONDITION",
    "VOLUME_MOUNT_GROUP",
  ],
  AccessModeKind: [
    "UNKNOWN",
    "SINGLE_NODE_WRITER",
    "SINGLE_NODE_READER_ONLY",
    "MULTI_NODE_READER_ONLY",
    "MULTI_NODE_SINGLE_WRITER",
    "MULTI_NODE_MULTI_WRITER",
    "SINGLE_NODE_SINGLE_WRITER",
    "SINGLE_NODE_MULTI_WRITER",
  ],
  UsageUnit: ["UNKNOWN", "BYTES", "INODES"],
} as const;

export const messages = {
  Empty: {},

  PluginInfo: { type: "1 string", name: "2 string", endpoint: "3 string", supportedVersions: "4 [string]" },
  RegistrationStatus: { pluginRegistered: "1 bool", error: "2 string" },

  BlockVolume: {},
  MountVolume: { fsType: "1 string", mountFlags: "2 [string]", volumeMountGroup: "3 string" },
  AccessMode: { mode: "1 AccessModeKind" },
  /** One of `block` and `mount`. */
  VolumeCapability: { block: "1 BlockVolume", mount: "2 MountVolume", accessMode: "3 AccessMode" },
  CapacityRange: { requiredBytes: "1 int64", limitBytes: "2 int64" },
  Topology: { segments: "1 {string}" },

  GetPluginInfoResponse: { name: "1 string", vendorVersion: "2 string", manifest: "3 {string}" },

  NodeGetInfoResponse: {
    nodeId: "1 string",
    maxVolumesPerNode: "2 int64",
    accessibleTopology: "3 Topology",
  },
  NodeRpc: { type: "1 NodeCapability" },
  NodeServiceCapability: { rpc: "1 NodeRpc" },
  NodeGetCapabilitiesResponse: { capabilities: "1 [NodeServiceCapability]" },
  NodeStageVolumeRequest: {
    volumeId: "1 string",
    publishContext: "2 {string}",
    stagingTargetPath: "3 string",
    volumeCapability: "4 VolumeCapability",
    secrets: "5 {string}",
    volumeContext: "6 {string}",
  },
  NodeUnstageVolumeRequest: { volumeId: "1 string", stagingTargetPath: "2 string" },
  NodePublishVolumeRequest: {
    volumeId: "1 string",
    publishContext: "2 {string}",
    stagingTargetPath: "3 string",
    targetPath: "4 string",
    volumeCapability: "5 VolumeCapability",
    readonly: "6 bool",
    secrets: "7 {string}",
    volumeContext: "8 {string}",
  },
  NodeUnpublishVolumeRequest: { volumeId: "1 string", targetPath: "2 string" },
  NodeGetVolumeStatsRequest: { volumeId: "1 string", volumePath: "2 string", stagingTargetPath: "3 string" },
  VolumeUsage: { available: "1 int64", total: "2 int64", used: "3 int64", unit: "4 UsageUnit" },
  VolumeCondition: { abnormal: "1 bool", message: "2 string" },
  NodeGetVolumeStatsResponse: { usage: "1 [VolumeUsage]", volumeCondition: "2 VolumeCondition" },
  NodeExpandVolumeRequest: {
    volumeId: "1 string",
    volumePath: "2 string",
    capacityRange: "3 CapacityRange",
    stagingTargetPath: "4 string",
    volumeCapability: "5 VolumeCapability",
    secrets: "6 {string}",
  },
  NodeExpandVolumeResponse: { capacityBytes: "1 int64" },

  CreateVolumeRequest: {
    name: "1 string",
    capacityRange: "2 CapacityRange",
    volumeCapabilities: "3 [VolumeCapability]",
    parameters: "4 {string}",
    secrets: "5 {string}",
  },
  Volume: {
    capacityBytes: "1 int64",
    volumeId: "2 string",
    volumeContext: "3 {string}",
    accessibleTopology: "5 [Topology]",
  },
  CreateVolumeResponse: { volume: "1 Volume" },
  DeleteVolumeRequest: { volumeId: "1 string", secrets: "2 {string}" },
  ControllerPublishVolumeRequest: {
    volumeId: "1 string",
    nodeId: "2 string",
    volumeCapability: "3 VolumeCapability",
    readonly: "4 bool",
    secrets: "5 {string}",
    volumeContext: "6 {string}",
  },
  ControllerPublishVolumeResponse: { publishContext: "1 {string}" },
  ControllerUnpublishVolumeRequest: { volumeId: "1 string", nodeId: "2 string", secrets: "3 {string}" },
  ControllerExpandVolumeRequest: {
    volumeId: "1 string",
    capacityRange: "2 CapacityRange",
    secrets: "3 {string}",
    volumeCapability: "4 VolumeCapability",
  },
  ControllerExpandVolumeResponse: { capacityBytes: "1 int64", nodeExpansionRequired: "2 bool" },
} as const;

/** What each method is asked and answers; the services by their full names. */
export const services = {
  "pluginregistration.Registration": {
    GetInfo: "Empty PluginInfo",
    NotifyRegistrationStatus: "RegistrationStatus Empty",
  },
  "csi.v1.Identity": { GetPluginInfo: "Empty GetPluginInfoResponse" },
  "csi.v1.Node": {
    NodeGetInfo: "Empty NodeGetInfoResponse",
    NodeGetCapabilities: "Empty NodeGetCapabilitiesResponse",
    NodeStageVolume: "NodeStageVolumeRequest Empty",
    NodeUnstageVolume: "NodeUnstageVolumeRequest Empty",
    NodePublishVolume: "NodePublishVolumeRequest Empty",
    NodeUnpublishVolume: "NodeUnpublishVolumeRequest Empty",
    NodeGetVolumeStats: "NodeGetVolumeStatsRequest NodeGetVolumeStatsResponse",
    NodeExpandVolume: "NodeExpandVolumeRequest NodeExpandVolumeResponse",
  },
  "csi.v1.Controller": {
    CreateVolume: "CreateVolumeRequest CreateVolumeResponse",
    DeleteVolume: "DeleteVolumeRequest Empty",
    ControllerPublishVolume: "ControllerPublishVolumeRequest ControllerPublishVolumeResponse",
    ControllerUnpublishVolume: "ControllerUnpublishVolumeRequest Empty",
    ControllerExpandVolume: "ControllerExpandVolumeRequest ControllerExpandVolumeResponse",
  },
} as const;
