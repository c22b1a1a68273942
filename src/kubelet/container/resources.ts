import { type corev1, type QosClass, qosClassOf } from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import { isSidecarOf } from "../plan/restart.ts";
import { milliOf, wholeOf } from "./quantities.ts";

/* As `pkg/kubelet/cm/helpers_linux.go` and `pkg/kubelet/qos`. */

const sharesPerCpu = 1_024;
const sharesMin = 2;
const sharesMax = 262_144;
const quotaPeriodUs = 100_000;
const quotaUsMin = 1_000;

const guaranteedOomScoreAdj = -997;
const bestEffortOomScoreAdj = 1_000;

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

/** What a container's cgroup is given. */
export function containerResources(
  pod: corev1.Pod,
  container: corev1.Container,
  nodeMemoryBytes: number,
): LinuxResources {
  const { requests = {}, limits = {} } = container.resources ?? {};
  const ofPod = pod.spec!.resources?.limits ?? {};
  const cpuLimitMilli = milliOf(limits.cpu) || milliOf(ofPod.cpu);
  const memoryLimitBytes = wholeOf(limits.memory) || wholeOf(ofPod.memory);
  const cpuRequestMilli = requests.cpu === undefined ? cpuLimitMilli : milliOf(requests.cpu);
  const quotaUs = cpuQuotaUs(cpuLimitMilli);
  const hugepages = Object.entries(limits)
    .filter(([name]) => name.startsWith("hugepages-"))
    .map(([name, quantity]) => ({ pageSize: pageSizeOf(name), limitBytes: wholeOf(quantity) }));
  return {
    cpuShares: cpuShares(cpuRequestMilli),
    ...(quotaUs !== undefined && { cpuQuotaUs: quotaUs, cpuPeriodUs: quotaPeriodUs }),
    // Swap is not given to pods.
    ...(memoryLimitBytes > 0 && { memoryLimitBytes, memorySwapLimitBytes: memoryLimitBytes }),
    oomScoreAdj: oomScoreAdj(pod, container, nodeMemoryBytes),
    ...(hugepages.length > 0 && { hugepages }),
  };
}

/** `hugepages-2Mi` → `2MB`, as the kernel names the controller's files. */
function pageSizeOf(name: string): string {
  const bytes = wholeOf(name.slice("hugepages-".length));
  return bytes >= 2 ** 30
    ? `${bytes / 2 ** 30}GB`
    : bytes >= 2 ** 20
      ? `${bytes / 2 ** 20}MB`
      : `${bytes / 2 ** 10}KB`;
}

/** The limits of the pod's own cgroup: the sum of its containers' where each has one, or the pod's. */
export function podResources(pod: corev1.Pod): LinuxResources {
  const spec = pod.spec!;
  const mains = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always"),
  ];
  const inits = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy !== "Always");
  const sum = (of: (container: corev1.Container) => number) => {
    const values = mains.map(of);
    const most = Math.max(0, ...inits.map(of));
    return {
      total: Math.max(
        values.reduce((a, b) => a + b, 0),
        most,
      ),
      each: [...values, ...inits.map(of)].every((v) => v > 0),
    };
  };
  const requestMilli =
    milliOf(spec.resources?.requests?.cpu) ||
    sum((c) => milliOf(c.resources?.requests?.cpu ?? c.resources?.limits?.cpu)).total;
  const cpu = sum((container) => milliOf(container.resources?.limits?.cpu));
  const memory = sum((container) => wholeOf(container.resources?.limits?.memory));
  const cpuLimitMilli = milliOf(spec.resources?.limits?.cpu) || (cpu.each ? cpu.total : 0);
  const memoryLimitBytes = wholeOf(spec.resources?.limits?.memory) || (memory.each ? memory.total : 0);
  const quotaUs = cpuQuotaUs(cpuLimitMilli);
  return {
    cpuShares: cpuShares(requestMilli),
    ...(quotaUs !== undefined && { cpuQuotaUs: quotaUs, cpuPeriodUs: quotaPeriodUs }),
    ...(memoryLimitBytes > 0 && { memoryLimitBytes }),
  };
}

/** How readily the kernel kills it when memory runs out. As kubelet's GetContainerOOMScoreAdjust. */
export function oomScoreAdj(pod: corev1.Pod, container: corev1.Container, nodeMemoryBytes: number): number {
  const isNodeCritical = pod.spec!.priorityClassName === "system-node-critical";
  const qos = qosClassOf(pod);
  if (isNodeCritical || qos === "Guaranteed") return guaranteedOomScoreAdj;
  if (qos === "BestEffort") return bestEffortOomScoreAdj;
  const adjustOf = (bytes: number) => 1_000 - Math.floor((1_000 * bytes) / nodeMemoryBytes);
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
