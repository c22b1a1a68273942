import type { corev1 } from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import { cpuQuotaUs, cpuShares, podResources, quotaPeriodUs } from "../container/resources.ts";
import { type Actuated, sameActuated, wantedOf } from "../resize/actuated.ts";
import { newest, type ObservedContainer, type PodObservation } from "./observation.ts";

/** What must be done so that a container has what its pod was given. */
export type ContainerResize = "none" | "update" | "restart";

/** As computePodResizeAction: by the container's resize policy; without one it goes on running. */
export function containerResize(
  pod: corev1.Pod,
  container: corev1.Container,
  observed: ObservedContainer | undefined,
): ContainerResize {
  if (observed?.state !== "running" || !observed.actuated) return "none";
  const has = observed.actuated;
  const wants = wantedOf(pod, container);
  if (sameActuated(has, wants)) return "none";
  const changed: Record<string, boolean> = {
    cpu: has.cpuRequestMilli !== wants.cpuRequestMilli || has.cpuLimitMilli !== wants.cpuLimitMilli,
    memory:
      has.memoryRequestBytes !== wants.memoryRequestBytes || has.memoryLimitBytes !== wants.memoryLimitBytes,
  };
  const needsRestart = container.resizePolicy?.some(
    ({ resourceName, restartPolicy }) => changed[resourceName] && restartPolicy === "RestartContainer",
  );
  return needsRestart ? "restart" : "update";
}

export const resizeRestartMessage = ({ name }: corev1.Container) =>
  `Container ${name} resize requires restart`;

/** Whether the pod's cgroup does not say what the pod was given. */
export function isPodCgroupBehind(pod: corev1.Pod, observed: PodObservation): boolean {
  const has = observed.podCgroup;
  if (!has) return false;
  const wants = podCgroupWanted(pod, has);
  return (["cpuShares", "cpuQuotaUs", "memoryLimitBytes"] as const).some((name) => has[name] !== wants[name]);
}

/** Limits are never taken away while a pod runs: one that is not asked for any more stays as it is. */
export function podCgroupWanted(pod: corev1.Pod, has: LinuxResources): LinuxResources {
  return { ...has, ...podResources(pod) };
}

/** The containers that a resize can be about: all but ephemeral ones. */
export const resizable = ({ spec }: corev1.Pod): corev1.Container[] => [
  ...(spec!.initContainers ?? []),
  ...spec!.containers,
];

/** Whether something that runs does not have yet what its pod was given. */
export function isResizeUnderway(pod: corev1.Pod, observed: PodObservation): boolean {
  return (
    isPodCgroupBehind(pod, observed) ||
    resizable(pod).some(
      (container) => containerResize(pod, container, newest(observed, container.name)) !== "none",
    )
  );
}

/**
 * Whether cgroups are to be written now: once what must restart for it has ended, and before anything starts with what
 * its pod has not got yet.
 */
export function needsResize(pod: corev1.Pod, observed: PodObservation): boolean {
  const each = resizable(pod).map((container) =>
    containerResize(pod, container, newest(observed, container.name)),
  );
  if (each.includes("restart")) return false;
  return each.includes("update") || isPodCgroupBehind(pod, observed);
}

/** One write of a resize. */
export type ResizeWrite =
  | { to: "pod"; resources: LinuxResources }
  | { to: "container"; id: string; resources: LinuxResources; actuated: Actuated };

/** A container as a resize finds it. */
export interface ResizingContainer {
  id: string;
  has: Actuated;
  wants: Actuated;
}

/**
 * The order of a resize: memory, then cpu; the pod's cgroup grows before its containers' and shrinks after them, and of
 * the containers those that shrink come first. As doPodResizeAction.
 */
export function resizeWrites(
  has: LinuxResources,
  wants: LinuxResources,
  containers: readonly ResizingContainer[],
): ResizeWrite[] {
  const memory = podChange(has, wants, "memoryLimitBytes");
  const quota = podChange(has, wants, "cpuQuotaUs");
  const shares = podChange(has, wants, "cpuShares");
  return [
    ...memory.growth,
    ...shrinkingFirst(containers, "memoryLimitBytes", "memoryRequestBytes").map(memoryWrite),
    ...memory.shrinkage,
    ...quota.growth,
    ...shares.growth,
    ...shrinkingFirst(containers, "cpuLimitMilli", "cpuRequestMilli").map(cpuWrite),
    ...shares.shrinkage,
    ...quota.shrinkage,
  ];
}

function podChange(
  has: LinuxResources,
  wants: LinuxResources,
  name: "memoryLimitBytes" | "cpuQuotaUs" | "cpuShares",
): { growth: ResizeWrite[]; shrinkage: ResizeWrite[] } {
  const after = wants[name];
  if (after === undefined || after === has[name]) return { growth: [], shrinkage: [] };
  const resources = {
    [name]: after,
    ...(name === "cpuQuotaUs" && { cpuPeriodUs: quotaPeriodUs }),
  };
  const write: ResizeWrite = { to: "pod", resources };
  // What is limited for the first time shrinks.
  const isGrowth = after > (has[name] ?? Number.POSITIVE_INFINITY);
  return isGrowth ? { growth: [write], shrinkage: [] } : { growth: [], shrinkage: [write] };
}

/** Those that change, by their limits; no limit is the largest. */
function shrinkingFirst(
  containers: readonly ResizingContainer[],
  limit: keyof Actuated,
  request: keyof Actuated,
): ResizingContainer[] {
  const size = (amounts: Actuated) => amounts[limit] || Number.MAX_SAFE_INTEGER;
  const isGrowth = ({ has, wants }: ResizingContainer) => Number(size(wants) > size(has));
  return containers
    .filter(({ has, wants }) => has[limit] !== wants[limit] || has[request] !== wants[request])
    .sort((a, b) => isGrowth(a) - isGrowth(b));
}

function memoryWrite({ id, has, wants }: ResizingContainer): ResizeWrite {
  const { memoryLimitBytes, memoryRequestBytes } = wants;
  return {
    to: "container",
    id,
    // A request of memory is in no cgroup.
    resources: memoryLimitBytes > 0 ? { memoryLimitBytes, memorySwapLimitBytes: memoryLimitBytes } : {},
    actuated: { ...has, memoryLimitBytes, memoryRequestBytes },
  };
}

/** Memory comes first, so that by now it is as wanted. */
function cpuWrite({ id, wants }: ResizingContainer): ResizeWrite {
  return {
    to: "container",
    id,
    resources: {
      cpuShares: cpuShares(wants.cpuRequestMilli),
      cpuQuotaUs: cpuQuotaUs(wants.cpuLimitMilli) ?? -1,
      cpuPeriodUs: quotaPeriodUs,
    },
    actuated: wants,
  };
}
