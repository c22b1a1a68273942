import type { corev1 } from "../../index.ts";

/*
 * What a quota can be of, and for which of it a scope has a meaning. As `pkg/apis/core/helper`.
 */

export type QuotaScope = NonNullable<corev1.ResourceQuotaSpec["scopes"]>[number];

const quotaResources: ReadonlySet<string> = new Set([
  ...["cpu", "memory", "ephemeral-storage"].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
  "requests.storage",
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "persistentvolumeclaims",
  "configmaps",
  "services.nodeports",
  "services.loadbalancers",
]);

/** Of those without a domain in front. */
export const isQuotaResource = (name: string) =>
  quotaResources.has(name) || name.startsWith("hugepages-") || name.startsWith("requests.hugepages-");

const podCount: ReadonlySet<string> = new Set(["pods"]);
const ofPods: ReadonlySet<string> = new Set([
  "pods",
  ...["cpu", "memory"].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
const ofClaims: ReadonlySet<string> = new Set(["persistentvolumeclaims", "requests.storage"]);

/** Whether some of a resource can be inside a scope and some outside. */
export function isScopeFor(scope: QuotaScope, resource: string): boolean {
  if (scope === "BestEffort") return podCount.has(resource);
  return (scope === "VolumeAttributesClass" ? ofClaims : ofPods).has(resource);
}
