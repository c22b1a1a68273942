import type { corev1 } from "../api/index.ts";
import type { Clock, Random } from "../base/index.ts";
import type { AdmissionPlugin } from "./contract.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { type PriorityClasses, priority, systemPriorityClasses } from "./priority.ts";
import type { Lookup } from "./refuse.ts";
import { serviceAccount } from "./service-account.ts";

/** What the plugins ask of the cluster: the newest state there is, from memory. */
export interface AdmissionOptions {
  clock: Clock;
  random: Random;
  getNamespace(name: string): Lookup<corev1.Namespace>;
  getServiceAccount(namespace: string, name: string): Lookup<corev1.ServiceAccount>;
  getPod(namespace: string, name: string): Lookup<corev1.Pod>;
  getNode(name: string): Lookup<corev1.Node>;
  /** Default: those that every cluster has. */
  priorityClasses?: PriorityClasses;
}

/** The plugins that are always on, in the order in which they are asked. */
export function createAdmissionPlugins(options: AdmissionOptions): AdmissionPlugin[] {
  return [
    namespaceLifecycle((name) => options.getNamespace(name)),
    serviceAccount(options),
    nodeRestriction(options),
    priority(options.priorityClasses ?? systemPriorityClasses),
    defaultTolerationSeconds,
  ];
}
