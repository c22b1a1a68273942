import type { ContainerStats, ContainerStatus, PodSandboxStatus } from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { wrapped } from "./security.ts";
import { fromNs, toNs } from "./time.ts";

/** What a pod or container uses, wherever it is shown. */
type Usage = Omit<ContainerStats, "containerId" | "writableLayerBytes">;

function usageToCri(usage: Usage): { cpu: Sparse<"CpuUsage">; memory: Sparse<"MemoryUsage"> } {
  const timestamp = toNs(usage.atMs);
  return {
    cpu: { timestamp, usageCoreNanoSeconds: { value: usage.cpuUsageNs } },
    memory: {
      timestamp,
      usageBytes: { value: usage.memoryUsageBytes },
      workingSetBytes: { value: usage.memoryWorkingSetBytes },
      rssBytes: { value: usage.memoryRssBytes },
      pageFaults: wrapped(usage.pageFaults),
      majorPageFaults: wrapped(usage.majorPageFaults),
    },
  };
}

export function statsToCri(status: ContainerStatus, stats: ContainerStats): Sparse<"ContainerStats"> {
  const { id, metadata, labels, annotations } = status;
  return {
    attributes: { id, metadata, labels, annotations },
    ...usageToCri(stats),
    ...(stats.writableLayerBytes !== undefined && {
      writableLayer: { timestamp: toNs(stats.atMs), usedBytes: { value: stats.writableLayerBytes } },
    }),
  };
}

export function statsFromCri(stats: Message<"ContainerStats">): ContainerStats {
  const { cpu, memory, writableLayer } = stats;
  return {
    containerId: stats.attributes?.id ?? "",
    atMs: fromNs(cpu?.timestamp ?? memory?.timestamp ?? 0),
    cpuUsageNs: cpu?.usageCoreNanoSeconds?.value ?? 0,
    memoryUsageBytes: memory?.usageBytes?.value ?? 0,
    memoryWorkingSetBytes: memory?.workingSetBytes?.value ?? 0,
    memoryRssBytes: memory?.rssBytes?.value ?? 0,
    ...(memory?.pageFaults && { pageFaults: memory.pageFaults.value }),
    ...(memory?.majorPageFaults && { majorPageFaults: memory.majorPageFaults.value }),
    ...(writableLayer?.usedBytes && { writableLayerBytes: writableLayer.usedBytes.value }),
  };
}

/** A pod's usage is that of its containers: nothing else of it runs. */
export function podStatsToCri(
  sandbox: PodSandboxStatus,
  containers: readonly { status: ContainerStatus; stats: ContainerStats }[],
  nowMs: number,
): Sparse<"PodSandboxStats"> {
  const sum = (of: (stats: ContainerStats) => number) =>
    containers.reduce((total, { stats }) => total + of(stats), 0);
  const { id, metadata, labels, annotations } = sandbox;
  return {
    attributes: { id, metadata, labels, annotations },
    linux: {
      ...usageToCri({
        atMs: nowMs,
        cpuUsageNs: sum((s) => s.cpuUsageNs),
        memoryUsageBytes: sum((s) => s.memoryUsageBytes),
        memoryWorkingSetBytes: sum((s) => s.memoryWorkingSetBytes),
        memoryRssBytes: sum((s) => s.memoryRssBytes),
      }),
      containers: containers.map(({ status, stats }) => statsToCri(status, stats)),
    },
  };
}
