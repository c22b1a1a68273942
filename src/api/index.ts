export { ageOf, humanDuration } from "./age.ts";
export { builtinKinds } from "./builtin-kinds.ts";
export { builtinSchemas } from "./builtin-schemas.ts";
export { matchesNodeTerm, matchesRequiredNode } from "./core/v1/node/node-selector.ts";
export * from "./core/v1/pod/conditions.ts";
export { type HostPort, hostPortsCollide, hostPortsOf } from "./core/v1/pod/host-ports.ts";
export { isLatest } from "./core/v1/pod/image-tag.ts";
export { computeQosClass, type QosClass, qosClassOf } from "./core/v1/pod/qos.ts";
export * from "./core/v1/pod/resource-names.ts";
export {
  isSidecar,
  podLimitAmounts,
  podLimits,
  podRequestAmounts,
  podRequests,
  type ResourceAmounts,
} from "./core/v1/pod/resources.ts";
export { type PodFeature, podFeatures } from "./core/v1/pod/support.ts";
export { normalizedSysctl, sysctlNamespace } from "./core/v1/pod/validation/security-context.ts";
export { shouldRestart } from "./core/v1/pod/validation/status.ts";
export { describeType } from "./descriptions/describe.ts";
export * from "./kind.ts";
export type * from "./types/index.ts";
