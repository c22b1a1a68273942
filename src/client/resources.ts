import type { GroupVersionResource } from "../machinery/index.ts";

const core = (resource: string): GroupVersionResource => ({ group: "", version: "v1", resource });
const inGroup =
  (group: string) =>
  (resource: string): GroupVersionResource => ({ group, version: "v1", resource });

export const bindings = core("bindings");
export const configMaps = core("configmaps");
export const events = core("events");
export const limitRanges = core("limitranges");
export const namespaces = core("namespaces");
export const nodes = core("nodes");
export const persistentVolumeClaims = core("persistentvolumeclaims");
export const persistentVolumes = core("persistentvolumes");
export const pods = core("pods");
export const replicationControllers = core("replicationcontrollers");
export const resourceQuotas = core("resourcequotas");
export const secrets = core("secrets");
export const serviceAccounts = core("serviceaccounts");
export const services = core("services");

const apps = inGroup("apps");
export const deployments = apps("deployments");
export const replicaSets = apps("replicasets");

export const podDisruptionBudgets = inGroup("policy")("poddisruptionbudgets");
export const priorityClasses = inGroup("scheduling.k8s.io")("priorityclasses");

export const runtimeClasses = inGroup("node.k8s.io")("runtimeclasses");

export const leases = inGroup("coordination.k8s.io")("leases");

const storage = inGroup("storage.k8s.io");
export const csiDrivers = storage("csidrivers");
export const csiNodes = storage("csinodes");
export const csiStorageCapacities = storage("csistoragecapacities");
export const storageClasses = storage("storageclasses");
export const volumeAttributesClasses = storage("volumeattributesclasses");
export const volumeAttachments = storage("volumeattachments");

/** `pods`, `deployments.apps`: for logs. */
export const resourceName = ({ group, resource }: GroupVersionResource): string =>
  group === "" ? resource : `${resource}.${group}`;
