import type { GroupVersionResource } from "../machinery/index.ts";

const core = (resource: string): GroupVersionResource => ({ group: "", version: "v1", resource });
const inGroup =
  (group: string) =>
  (resource: string): GroupVersionResource => ({ group, version: "v1", resource });

export const bindings = core("bindings");
export const configMaps = core("configmaps");
export const events = core("events");
export const namespaces = core("namespaces");
export const nodes = core("nodes");
export const pods = core("pods");
export const secrets = core("secrets");
export const serviceAccounts = core("serviceaccounts");
export const services = core("services");

const apps = inGroup("apps");
export const deployments = apps("deployments");
export const replicaSets = apps("replicasets");

export const leases = inGroup("coordination.k8s.io")("leases");

/** `pods`, `deployments.apps`: for logs. */
export const resourceName = ({ group, resource }: GroupVersionResource): string =>
  group === "" ? resource : `${resource}.${group}`;
