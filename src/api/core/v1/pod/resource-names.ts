import { isQualifiedName } from "../../../../machinery/index.ts";

/*
 * Which names of resources there are, and what is special about them. As `pkg/apis/core/helper`.
 */

const containerResources: ReadonlySet<string> = new Set(["cpu", "memory", "ephemeral-storage"]);

const standardResources: ReadonlySet<string> = new Set([
  ...containerResources,
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "storage",
  "requests.storage",
  "services.nodeports",
  "services.loadbalancers",
]);

const integerResources: ReadonlySet<string> = new Set([
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);

/** `hugepages-2Mi`. */
export const isHugePages = (name: string) => name.startsWith("hugepages-");

/** Any resource that Kubernetes itself defines, of a container, a pod or a quota. */
export const isStandardResource = (name: string) =>
  standardResources.has(name) || isHugePages(name) || name.startsWith("requests.hugepages-");

/** What a container may ask for without a domain in front. */
export const isContainerResource = (name: string) => containerResources.has(name) || isHugePages(name);

/** What `spec.resources` of a pod may have. */
export const isPodLevelResource = (name: string) => name === "cpu" || name === "memory" || isHugePages(name);

/** In the domain of Kubernetes, which may be left out. */
export const isNativeResource = (name: string) => !name.includes("/") || name.includes("kubernetes.io/");

/** A device or the like, in a domain of its own: `example.com/gpu`. */
export const isExtendedResource = (name: string) =>
  !isNativeResource(name) &&
  !name.startsWith("requests.") &&
  // Its quota's name must be one, too.
  isQualifiedName(`requests.${name}`).length === 0;

/** A limit may be higher than the request. */
export const canExceedRequest = (name: string) => isNativeResource(name) && !isHugePages(name);

/** It has no fractions. */
export const isIntegerResource = (name: string) => integerResources.has(name) || isExtendedResource(name);
