export { ageOf, humanDuration } from "./age.ts";
export { builtinKinds } from "./builtin-kinds.ts";
export { builtinSchemas } from "./builtin-schemas.ts";
export { matchesNodeTerm, matchesRequiredNode } from "./core/v1/node/node-selector.ts";
export { shortAccessModes } from "./core/v1/persistent-volume/access-modes.ts";
export * from "./core/v1/persistent-volume/annotations.ts";
export { claimNamesClass, classOfClaim, classOfVolume } from "./core/v1/persistent-volume/class.ts";
export * from "./core/v1/persistent-volume/matching.ts";
export { volumeSourceName } from "./core/v1/persistent-volume/sources.ts";
export { claimOfVolume, claimsOfPod, notMadeForPod, type PodClaim } from "./core/v1/pod/claims.ts";
export * from "./core/v1/pod/conditions.ts";
export { type HostPort, hostPortsCollide, hostPortsOf } from "./core/v1/pod/host-ports.ts";
export { isLatest } from "./core/v1/pod/image-tag.ts";
export * from "./core/v1/pod/mirror-pod.ts";
export { computeQosClass, type QosClass, qosClassOf } from "./core/v1/pod/qos.ts";
export * from "./core/v1/pod/resource-names.ts";
export {
  containerRequests,
  isSidecar,
  podLimitAmounts,
  podLimits,
  podRequestAmounts,
  podRequestAmountsInUse,
  podRequests,
  type ResourceAmounts,
} from "./core/v1/pod/resources.ts";
export { type PodFeature, podFeatures } from "./core/v1/pod/support.ts";
export { tolerates, toleratesTaint } from "./core/v1/pod/tolerates.ts";
export { normalizedSysctl, sysctlNamespace } from "./core/v1/pod/validation/security-context.ts";
export { asksToRestartAll, mayRestartAll, shouldRestart } from "./core/v1/pod/validation/status.ts";
export { isQuotaResource, type QuotaScope } from "./core/v1/quota-resources.ts";
export { describeType } from "./descriptions/describe.ts";
export * from "./kind.ts";
export {
  type DisruptionAllowed,
  disruptionAllowedBy,
  withDisruptionAllowed,
} from "./policy/v1/disruption-allowed.ts";
export { systemPriorityClasses } from "./scheduling/v1/system-priority-classes.ts";
export { attachmentName, uniqueVolumeName, volumeOfUniqueName } from "./storage/v1/attachment-names.ts";
export { defaultClassAnnotations, defaultClassOf, isDefaultClass } from "./storage/v1/default-class.ts";
export type * from "./types/index.ts";
