import type {
  CgroupUsage,
  ContainerStats,
  ContainerStatus,
  DiskUsage,
  PodSandboxStats,
  PodSandboxStatus,
} from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { wrapped } from "./security.ts";
import { fromNs, toNs } from "./time.ts";

type Usage = CgroupUsage & { atMs: number };

function usageToCri(usage: Usage) {
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
  } satisfies Sparse<"ContainerStats">;
}

function usageFromCri(stats: Pick<Message<"ContainerStats">, "cpu" | "memory">): Usage {
  const { cpu, memory } = stats;
  return {
    atMs: fromNs(cpu?.timestamp ?? memory?.timestamp ?? 0),
    cpuUsageNs: cpu?.usageCoreNanoSeconds?.value ?? 0,
    memoryUsageBytes: memory?.usageBytes?.value ?? 0,
    memoryWorkingSetBytes: memory?.workingSetBytes?.value ?? 0,
    memoryRssBytes: memory?.rssBytes?.value ?? 0,
    ...(memory?.pageFaults && { pageFaults: memory.pageFaults.value }),
    ...(memory?.majorPageFaults && { majorPageFaults: memory.majorPageFaults.value }),
  };
}

export function statsToCri(
  status: ContainerStatus,
  stats: ContainerStats,
  disk?: DiskUsage,
): Sparse<"ContainerStats"> {
  const { id, metadata, labels, annotations } = status;
  const timestamp = toNs(stats.atMs);
  return {
    attributes: { id, metadata, labels, annotations },
    ...usageToCri(stats),
    ...(stats.swapUsageBytes !== undefined && {
      swap: { timestamp, swapUsageBytes: { value: stats.swapUsageBytes } },
    }),
    ...(disk && {
      writableLayer: {
        timestamp,
        usedBytes: { value: disk.usedBytes },
        inodesUsed: wrapped(disk.inodesUsed),
      },
    }),
  };
}

export function statsFromCri(stats: Message<"ContainerStats">): ContainerStats {
  return {
    containerId: stats.attributes?.id ?? "",
    ...usageFromCri(stats),
    ...(stats.swap?.swapUsageBytes && { swapUsageBytes: stats.swap.swapUsageBytes.value }),
  };
}

export function diskUsageFromCri({ writableLayer }: Message<"ContainerStats">): DiskUsage | undefined {
  if (!writableLayer?.usedBytes) return undefined;
  return {
    usedBytes: writableLayer.usedBytes.value,
    ...(writableLayer.inodesUsed && { inodesUsed: writableLayer.inodesUsed.value }),
  };
}

export function podStatsToCri(
  sandbox: PodSandboxStatus,
  pod: PodSandboxStats,
  containers: readonly { status: ContainerStatus; stats: ContainerStats }[],
): Sparse<"PodSandboxStats"> {
  const { id, metadata, labels, annotations } = sandbox;
  const timestamp = toNs(pod.atMs);
  const interfaces = (pod.interfaces ?? []).map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes: { value: rxBytes },
    rxErrors: { value: rxErrors },
    txBytes: { value: txBytes },
    txErrors: { value: txErrors },
  }));
  const [defaultInterface, ...others] = interfaces;
  return {
    attributes: { id, metadata, labels, annotations },
    linux: {
      ...usageToCri(pod),
      ...(defaultInterface && { network: { timestamp, defaultInterface, interfaces: others } }),
      ...(pod.processCount !== undefined && {
        process: { timestamp, processCount: { value: pod.processCount } },
      }),
      containers: containers.map(({ status, stats }) => statsToCri(status, stats)),
    },
  };
}

export function podStatsFromCri(
  sandboxId: string,
  { linux }: Message<"PodSandboxStats">,
): PodSandboxStats | undefined {
  if (!linux) return undefined;
  const { network, process } = linux;
  const interfaces = [network?.defaultInterface, ...(network?.interfaces ?? [])].filter(
    (each) => each !== null && each !== undefined,
  );
  return {
    sandboxId,
    ...usageFromCri(linux),
    ...(process?.processCount && { processCount: process.processCount.value }),
    ...(network && {
      interfaces: interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
        name,
        rxBytes: rxBytes?.value ?? 0,
        rxErrors: rxErrors?.value ?? 0,
        txBytes: txBytes?.value ?? 0,
        txErrors: txErrors?.value ?? 0,
      })),
    }),
  };
}
