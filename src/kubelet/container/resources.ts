import {
  containerRequests,
  type corev1,
  podLimitAmounts,
  podRequestAmounts,
  podRequests,
  type QosClass,
  qosClassOf,
} from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import { isSidecarOf } from "../plan/restart.ts";
import { milliOf, wholeOf } from "./quantities.ts";

/* As `pkg/kubelet/cm/helpers_linux.go` and `pkg/kubelet/qos`. */

const sharesPerCpu = 1_024;
const sharesMin = 2;
const sharesMax = 262_144;
export const quotaPeriodUs = 100_000;
const quotaUsMin = 1_000;

const guaranteedOomScoreAdj = -997;
const bestEffortOomScoreAdj = 1_000;

const hugepagesPrefix = "hugepages-";

export function cpuShares(milli: number): number {
  if (milli === 0) return sharesMin;
  return Math.min(Math.max(Math.floor((milli * sharesPerCpu) / 1_000), sharesMin), sharesMax);
}

export function cpuQuotaUs(milli: number): number | undefined {
  return milli === 0 ? undefined : Math.max(Math.floor((milli * quotaPeriodUs) / 1_000), quotaUsMin);
}

/** `kubepods/burstable/podUID`; Guaranteed pods stand directly under `kubepods`. */
export function podCgroupParent(pod: corev1.Pod, qos: QosClass = qosClassOf(pod)): string {
  const parent = {
    Guaranteed: "kubepods",
    Burstable: "kubepods/burstable",
    BestEffort: "kubepods/besteffort",
  }[qos];
  return `${parent}/pod${pod.metadata.uid}`;
}

/** What of the machine matters to a container's cgroup. */
export interface NodeMemory {
  memoryBytes: number;
  /** The sizes of huge pages that the kernel knows, as resources: `hugepages-2Mi`. */
  hugepages: readonly string[];
  /** What the kernel kills of a container that is out of memory. */
  oomKills: "process" | "container";
}

/** What a container's cgroup is given. */
export function containerResources(
  pod: corev1.Pod,
  container: corev1.Container,
  node: NodeMemory,
): LinuxResources {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const ofPod = pod.spec!.resources?.limits ?? {};
  const cpuLimitMilli = milliOf(limits.cpu) || milliOf(ofPod.cpu);
  const memoryLimitBytes = wholeOf(limits.memory) || wholeOf(ofPod.memory);
  const cpuRequestMilli = requests.cpu === undefined ? cpuLimitMilli : milliOf(requests.cpu);
  const quotaUs = cpuQuotaUs(cpuLimitMilli);
  // Of a size that is not asked for it may have none: as GetHugepageLimitsFromResources.
  const none = Object.fromEntries(node.hugepages.map((name) => [name, "0"]));
  const hugepages = hugepageLimits({ ...none, ...ofPod, ...limits });
  return {
    cpuShares: cpuShares(cpuRequestMilli),
    ...(quotaUs !== undefined && { cpuQuotaUs: quotaUs, cpuPeriodUs: quotaPeriodUs }),
    // Swap is not given to pods.
    ...(memoryLimitBytes > 0 && { memoryLimitBytes, memorySwapLimitBytes: memoryLimitBytes }),
    oomScoreAdj: oomScoreAdj(pod, container, node.memoryBytes),
    ...(hugepages.length > 0 && { hugepages }),
    ...(node.oomKills === "container" && { oomKillsAll: true }),
  };
}

const hugepageLimits = (list: Readonly<Record<string, string>>) =>
  Object.entries(list)
    .filter(([name]) => name.startsWith(hugepagesPrefix))
    .map(([name, quantity]) => ({ pageSize: pageSizeOf(name), limitBytes: wholeOf(quantity) }));

/** `hugepages-2Mi` → `2MB`, as the kernel names the controller's files. */
function pageSizeOf(name: string): string {
  const bytes = wholeOf(name.slice(hugepagesPrefix.length));
  return bytes >= 2 ** 30
    ? `${bytes / 2 ** 30}GB`
    : bytes >= 2 ** 20
      ? `${bytes / 2 ** 20}MB`
      : `${bytes / 2 ** 10}KB`;
}

/**
 * The limits of the pod's own cgroup: the pod's where it has some, else what its containers need together where each has
 * one. What the runtime itself takes is beside them, for it runs in the pod's cgroup. As ResourceConfigForPod.
 */
export function podResources(pod: corev1.Pod): LinuxResources {
  const spec = pod.spec!;
  const requests = podRequestAmounts(spec);
  const limits = podLimitAmounts(spec);
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const isLimited = (name: "cpu" | "memory") =>
    wholeOf(spec.resources?.limits?.[name]) > 0 ||
    containers.every(({ resources }) => wholeOf(resources?.limits?.[name]) > 0);
  const quotaUs = isLimited("cpu") ? cpuQuotaUs(limits["cpu"]!.milliValue()) : undefined;
  const memoryLimitBytes = isLimited("memory") ? limits["memory"]!.value() : 0;
  const hugepages = hugepageLimits(podRequests(spec));
  return {
    cpuShares: cpuShares(requests["cpu"]?.milliValue() ?? 0),
    ...(quotaUs !== undefined && { cpuQuotaUs: quotaUs, cpuPeriodUs: quotaPeriodUs }),
    ...(memoryLimitBytes > 0 && { memoryLimitBytes }),
    ...(hugepages.length > 0 && { hugepages }),
  };
}

/** How readily the kernel kills it when memory runs out. As kubelet's GetContainerOOMScoreAdjust. */
export function oomScoreAdj(pod: corev1.Pod, container: corev1.Container, nodeMemoryBytes: number): number {
  const isNodeCritical = pod.spec!.priorityClassName === "system-node-critical";
  const qos = qosClassOf(pod);
  if (isNodeCritical || qos === "Guaranteed") return guaranteedOomScoreAdj;
  if (qos === "BestEffort") return bestEffortOomScoreAdj;
  // What the pod asks for beyond its containers is theirs in equal parts.
  const shareBytes = unclaimedMemoryBytes(pod.spec!);
  const adjustOf = (bytes: number) => 1_000 - Math.floor((1_000 * (bytes + shareBytes)) / nodeMemoryBytes);
  let adjust = adjustOf(wholeOf(container.resources?.requests?.memory));
  if (isSidecarOf(pod.spec!, container.name)) {
    const least = Math.min(
      ...pod.spec!.containers.map(({ resources }) => wholeOf(resources?.requests?.memory)),
    );
    adjust = Math.min(adjust, adjustOf(least));
  }
  const floor = 1_000 + guaranteedOomScoreAdj;
  if (adjust < floor) return floor;
  return adjust === bestEffortOomScoreAdj ? adjust - 1 : adjust;
}

/** A container's part of the pod's own request for memory, of what no container requests itself. */
function unclaimedMemoryBytes(spec: corev1.PodSpec): number {
  const ofPod = wholeOf(spec.resources?.requests?.memory);
  if (ofPod === 0) return 0;
  const claimed = containerRequests(spec)["memory"]?.value() ?? 0;
  return Math.floor((ofPod - claimed) / (spec.containers.length + (spec.initContainers ?? []).length));
}
