import type { corev1, nodev1 } from "../api/index.ts";
import type { Clock, Random } from "../base/index.ts";
import type { AdmissionPlugin } from "./contract.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { limitRanger } from "./limit-ranger/limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { podResize } from "./pod-resize.ts";
import { podSecurity } from "./pod-security/pod-security.ts";
import { type PriorityClasses, priority } from "./priority.ts";
import type { Lookup } from "./refuse.ts";
import { type QuotaOptions, resourceQuota } from "./resource-quota/resource-quota.ts";
import { runtimeClass } from "./runtime-class.ts";
import { serviceAccount } from "./service-account.ts";
import { claimResize, defaultStorageClass, type StorageClasses, storageInUseProtection } from "./storage.ts";

/** What the plugins ask of the cluster: the newest state there is, from memory. */
export interface AdmissionOptions extends QuotaOptions {
  clock: Clock;
  random: Random;
  getNamespace(name: string): Lookup<corev1.Namespace>;
  getServiceAccount(namespace: string, name: string): Lookup<corev1.ServiceAccount>;
  getPod(namespace: string, name: string): Lookup<corev1.Pod>;
  podsIn(namespace: string): Lookup<readonly corev1.Pod[]>;
  getNode(name: string): Lookup<corev1.Node>;
  priorityClasses: PriorityClasses;
  storageClasses: StorageClasses;
  limitRangesIn(namespace: string): Lookup<readonly corev1.LimitRange[]>;
  getRuntimeClass(name: string): Lookup<nodev1.RuntimeClass>;
}

/** The plugins that are always on, in the order in which they are asked. */
export function createAdmissionPlugins(options: AdmissionOptions): AdmissionPlugin[] {
  return [
    namespaceLifecycle((name) => options.getNamespace(name)),
    limitRanger((namespace) => options.limitRangesIn(namespace)),
    serviceAccount(options),
    nodeRestriction(options),
    podSecurity(options),
    priority(options.priorityClasses),
    defaultTolerationSeconds,
    runtimeClass((name) => options.getRuntimeClass(name)),
    defaultStorageClass(options.storageClasses),
    storageInUseProtection,
    claimResize(options.storageClasses),
    podResize((name) => options.getNode(name)),
    // Last: what is refused elsewhere must not be charged.
    resourceQuota(options),
  ];
}
