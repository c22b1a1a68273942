import type { corev1 } from "../../api/index.ts";
import { milliOf, wholeOf } from "../container/quantities.ts";

type ResourceList = Readonly<Record<string, string>>;

/** All that can change while a pod runs. */
export interface Compute {
  requests?: { cpu?: string; memory?: string };
  limits?: { cpu?: string; memory?: string };
}

/**
 * The resources that the node has given to a pod. The pod's object says what is wanted, which may be more than there
 * is room for: until it is given, the pod runs on with what it has.
 */
export interface PodAllocation {
  /** Of the pod as a whole, where it has some of its own. */
  pod?: Compute;
  /** By container. */
  containers: Readonly<Record<string, Compute>>;
}

/** What giving a pod all it asks for comes to. */
export function allocationOf({ spec }: corev1.Pod): PodAllocation {
  const containers: Record<string, Compute> = {};
  for (const { name, resources } of spec!.initContainers ?? []) containers[name] = computeOf(resources);
  for (const { name, resources } of spec!.containers) containers[name] = computeOf(resources);
  return { ...(spec!.resources && { pod: computeOf(spec!.resources) }), containers };
}

export function sameAllocation(a: PodAllocation, b: PodAllocation): boolean {
  const names = Object.keys(b.containers);
  return (
    (a.pod === undefined) === (b.pod === undefined) &&
    sameCompute(a.pod, b.pod) &&
    names.every((name) => sameCompute(a.containers[name], b.containers[name]))
  );
}

/** The pod as it runs: with what it was given in place of what it asks for. The same object where they are alike. */
export function withAllocation(pod: corev1.Pod, allocation: PodAllocation): corev1.Pod {
  if (sameAllocation(allocation, allocationOf(pod))) return pod;
  const given = (container: corev1.Container): corev1.Container => {
    const compute = allocation.containers[container.name];
    if (!compute || sameCompute(compute, computeOf(container.resources))) return container;
    return { ...container, resources: overlaid(container.resources, compute) };
  };
  const { resources, ...spec } = pod.spec!;
  const podLevel = allocation.pod && overlaid(resources, allocation.pod);
  return {
    ...pod,
    spec: {
      ...spec,
      ...(podLevel && { resources: podLevel }),
      containers: spec.containers.map(given),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(given) }),
    },
  };
}

function computeOf(resources: corev1.ResourceRequirements | undefined): Compute {
  const pick = (list: ResourceList | undefined) =>
    list && { ...(list.cpu && { cpu: list.cpu }), ...(list.memory && { memory: list.memory }) };
  const requests = pick(resources?.requests);
  const limits = pick(resources?.limits);
  return { ...(requests && { requests }), ...(limits && { limits }) };
}

function overlaid(
  resources: corev1.ResourceRequirements | undefined,
  compute: Compute,
): corev1.ResourceRequirements {
  const list = (asked: ResourceList | undefined, given: ResourceList | undefined) => {
    const { cpu: _, memory: __, ...others } = asked ?? {};
    const made = { ...others, ...given };
    return Object.keys(made).length > 0 ? made : undefined;
  };
  const requests = list(resources?.requests, compute.requests);
  const limits = list(resources?.limits, compute.limits);
  const { requests: _, limits: __, ...rest } = resources ?? {};
  return { ...rest, ...(requests && { requests }), ...(limits && { limits }) };
}

/** Amounts count, not how they are written; none is zero. */
function sameCompute(a: Compute = {}, b: Compute = {}): boolean {
  return (["requests", "limits"] as const).every(
    (list) =>
      milliOf(a[list]?.cpu) === milliOf(b[list]?.cpu) &&
      wholeOf(a[list]?.memory) === wholeOf(b[list]?.memory),
  );
}
