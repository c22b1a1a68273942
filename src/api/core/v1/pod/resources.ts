import type { Quantity } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { isPodLevelResource } from "./resource-names.ts";

/*
 * What a pod as a whole asks for. As `k8s.io/component-helpers/resource`; the computation is part of the API.
 */

/** Amounts by resource name. */
export type ResourceAmounts = Record<string, Quantity>;

type ResourceList = Readonly<Record<string, string>> | undefined;

/** Runs beside the regular containers for as long as they do. */
export const isSidecar = (container: corev1.Container) => container.restartPolicy === "Always";

/**
 * What the scheduler must find on a node: the pod's own requests where it has them, else those of its containers,
 * and its overhead. In the form of a list of resources: canonical quantities.
 */
export const podRequests = (spec: corev1.PodSpec): Record<string, string> => written(podRequestAmounts(spec));

/** The limits of the pod as a whole, in the form of {@link podRequests}; overhead counts where there is a limit. */
export const podLimits = (spec: corev1.PodSpec): Record<string, string> => written(podLimitAmounts(spec));

function written(amounts: ResourceAmounts): Record<string, string> {
  const list: Record<string, string> = {};
  for (const name in amounts) list[name] = amounts[name]!.toString();
  return list;
}

/** As {@link podRequests}, to calculate with. */
export function podRequestAmounts(spec: corev1.PodSpec): ResourceAmounts {
  const amounts = containerRequests(spec);
  overrideByPod(amounts, spec.resources?.requests);
  for (const name in spec.overhead) addAmount(amounts, name, quantityOf(spec.overhead[name]!));
  return amounts;
}

/**
 * What a pod takes of its node: while it is being resized the most of what it asks for, what it was given and what it
 * has, so that nobody is promised what is not free yet. As `PodRequests` with `UseStatusResources`.
 */
export function podRequestAmountsInUse(pod: corev1.Pod): ResourceAmounts {
  const { status } = pod;
  const spec = pod.spec!;
  const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  if (!statuses.some(({ resources }) => resources)) return podRequestAmounts(spec);
  const isInfeasible = status!.conditions?.some(
    ({ type, reason }) => type === "PodResizePending" && reason === "Infeasible",
  );
  const inUse = (asked: ResourceList, has: ResourceList, given: ResourceList): ResourceList => {
    const most: ResourceAmounts = {};
    for (const list of isInfeasible ? [has, given] : [asked, has, given]) {
      for (const name in list) raiseAll(most, { [name]: quantityOf(list[name]!) });
    }
    return written(most);
  };
  const amounts = aggregate(spec, (container) => {
    const asked = container.resources?.requests;
    const seen = statuses.find(({ name }) => name === container.name);
    const mayChange = isSidecar(container) || !spec.initContainers?.includes(container);
    return seen?.resources && mayChange
      ? inUse(asked, seen.resources.requests, seen.allocatedResources)
      : asked;
  });
  const own = spec.resources?.requests;
  const ofPod =
    own && status!.resources ? inUse(own, status!.resources.requests, status!.allocatedResources) : own;
  overrideByPod(amounts, ofPod && Object.fromEntries(Object.entries(ofPod).filter(([name]) => name in own!)));
  for (const name in spec.overhead) addAmount(amounts, name, quantityOf(spec.overhead[name]!));
  return amounts;
}

/** As {@link podLimits}, to calculate with. */
export function podLimitAmounts(spec: corev1.PodSpec): ResourceAmounts {
  const amounts = containerLimits(spec);
  overrideByPod(amounts, spec.resources?.limits);
  for (const name in spec.overhead) {
    if (amounts[name] && amounts[name].sign !== 0) addAmount(amounts, name, quantityOf(spec.overhead[name]!));
  }
  return amounts;
}

function overrideByPod(amounts: ResourceAmounts, own: ResourceList): void {
  for (const name in own) if (isPodLevelResource(name)) amounts[name] = quantityOf(own[name]!);
}

/** The requests of all containers together, by the rule of {@link aggregate}. */
export const containerRequests = (spec: corev1.PodSpec): ResourceAmounts =>
  aggregate(spec, (container) => container.resources?.requests);

/** The limits of all containers together, by the rule of {@link aggregate}. */
export const containerLimits = (spec: corev1.PodSpec): ResourceAmounts =>
  aggregate(spec, (container) => container.resources?.limits);

/**
 * Regular containers and sidecars run at once: their amounts add up. An init container runs alone, but beside the
 * sidecars that were started before it; the pod needs what the hungriest of these moments needs.
 */
function aggregate(
  spec: corev1.PodSpec,
  listOf: (container: corev1.Container) => ResourceList,
): ResourceAmounts {
  const total: ResourceAmounts = {};
  for (const container of spec.containers ?? []) addAll(total, listOf(container));
  if (!spec.initContainers?.length) return total;
  const sidecars: ResourceAmounts = {};
  const peak: ResourceAmounts = {};
  for (const container of spec.initContainers) {
    const list = listOf(container);
    if (isSidecar(container)) {
      addAll(total, list);
      addAll(sidecars, list);
      raiseAll(peak, sidecars);
    } else {
      const moment = { ...sidecars };
      addAll(moment, list);
      raiseAll(peak, moment);
    }
  }
  raiseAll(total, peak);
  return total;
}

function addAmount(amounts: ResourceAmounts, name: string, amount: Quantity): void {
  amounts[name] = amounts[name] ? amounts[name].add(amount) : amount;
}

function addAll(amounts: ResourceAmounts, list: ResourceList): void {
  for (const name in list) addAmount(amounts, name, quantityOf(list[name]!));
}

function raiseAll(amounts: ResourceAmounts, others: ResourceAmounts): void {
  for (const name in others) {
    const other = others[name]!;
    if (!amounts[name] || amounts[name].compare(other) < 0) amounts[name] = other;
  }
}
