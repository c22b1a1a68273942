import type { Quantity } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { quantityOf } from "../../../validation/quantities.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

const computeResources = ["cpu", "memory"] as const;
type Compute = Partial<Record<(typeof computeResources)[number], Quantity>>;

/**
 * The class that decides who is throttled and killed first. As `pkg/apis/core/helper/qos`:
 *
 * - Guaranteed: every container (or the pod as a whole) limits cpu and memory, and requests just that much.
 * - BestEffort: nothing is requested nor limited.
 * - Burstable: the rest.
 *
 * Ephemeral containers don't count: they have no resources.
 */
export function computeQosClass(spec: corev1.PodSpec): QosClass {
  const requests: Compute = {};
  const limits: Compute = {};
  let isLimited = true;
  if (spec.resources) {
    add(requests, spec.resources.requests);
    const hasLimits = Object.keys(spec.resources.limits ?? {}).length > 0;
    if (hasLimits && !add(limits, spec.resources.limits)) isLimited = false;
  } else {
    for (const containers of [spec.containers, spec.initContainers]) {
      for (const { resources } of containers ?? []) {
        add(requests, resources?.requests);
        if (!add(limits, resources?.limits)) isLimited = false;
      }
    }
  }
  if (isNone(requests) && isNone(limits)) return "BestEffort";
  return isLimited && areEqual(requests, limits) ? "Guaranteed" : "Burstable";
}

/** The class that is recorded, else the computed one. */
export const qosClassOf = (pod: corev1.Pod): QosClass =>
  (pod.status?.qosClass as QosClass | undefined) ?? computeQosClass(pod.spec!);

/** Returns whether both resources were there. */
function add(sums: Compute, list: Readonly<Record<string, string>> | undefined): boolean {
  let found = 0;
  for (const name of computeResources) {
    const text = list?.[name];
    if (text === undefined) continue;
    const amount = quantityOf(text);
    if (amount.sign <= 0) continue;
    found++;
    sums[name] = sums[name] ? sums[name].add(amount) : amount;
  }
  return found === computeResources.length;
}

const isNone = (sums: Compute) => sums.cpu === undefined && sums.memory === undefined;

const areEqual = (requests: Compute, limits: Compute) =>
  computeResources.every((name) => {
    const request = requests[name];
    const limit = limits[name];
    return request && limit ? request.compare(limit) === 0 : request === limit;
  });
