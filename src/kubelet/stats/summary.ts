import type { DiskUsage, InterfaceStats, Pressure, Stalls } from "../../runtime/index.ts";
import { wantedOf } from "../resize/actuated.ts";
import type { ContainerSample, DiskSample, FsSize, NodeSample, PodSample, Usage } from "./sample.ts";

/*
 * `/stats/summary`. The shape is `k8s.io/kubelet/pkg/apis/stats/v1alpha1`.
 */

/** Absent disks: the short form of `?only_cpu_and_memory=true`. */
export function summaryOf(nodeName: string, sample: NodeSample, disks: DiskSample | undefined) {
  const { node, kubelet } = sample;
  return {
    node: {
      nodeName,
      systemContainers: [
        { name: "kubelet", startTime: timeOf(kubelet.startedAtMs), ...cpuAndMemory(kubelet) },
        ...podsContainer(sample),
      ],
      startTime: timeOf(node.startedAtMs),
      ...cpuAndMemory(node, node.memoryAvailableBytes),
      ...(disks && {
        network: networkOf(node.atMs, node.interfaces),
        fs: fsOf(disks.atMs, disks.nodeFs),
        runtime: {
          imageFs: { ...fsOf(disks.atMs, disks.imageFs), usedBytes: disks.imageFs.usedBytes },
          containerFs: fsOf(disks.atMs, disks.imageFs),
        },
        rlimit: { time: timeOf(node.atMs), maxpid: node.processesMax, curproc: node.processCount },
      }),
    },
    pods: sample.pods.map((pod) => podOf(pod, disks)),
  };
}

function podOf(sample: PodSample, disks: DiskSample | undefined) {
  const { name, namespace, uid } = sample.pod.metadata;
  const { usage, interfaces } = sample;
  return {
    podRef: { name, namespace, uid },
    startTime: timeOf(sample.startedAtMs),
    containers: sample.containers.map((container) => containerOf(sample, container, disks)),
    ...(usage && {
      ...cpuAndMemory(usage, availableTo(sample, usage)),
      ...(usage.processCount !== undefined && { process_stats: { process_count: usage.processCount } }),
    }),
    ...(disks && {
      ...(usage && interfaces && { network: networkOf(usage.atMs, interfaces) }),
      volume: volumesOf(sample, disks),
      "ephemeral-storage": usedOf(disks, ephemeralOf(sample, disks)),
    }),
  };
}

function containerOf(
  { pod }: PodSample,
  { id, name, spec, startedAtMs, usage }: ContainerSample,
  disks: DiskSample | undefined,
) {
  const limit = wantedOf(pod, spec).memoryLimitBytes;
  const available = limit > 0 ? Math.max(limit - usage.memoryWorkingSetBytes, 0) : undefined;
  const root = disks?.roots.get(id);
  const logs = disks?.logs.get(id);
  return {
    name,
    startTime: timeOf(startedAtMs),
    ...cpuAndMemory(usage, available),
    ...(disks && {
      rootfs: { ...fsOf(disks.atMs, disks.imageFs), ...used(root) },
      logs: { ...fsOf(disks.atMs, disks.nodeFs), ...used(logs) },
    }),
  };
}

/** All pods together: what the nodes' agents keep below one cgroup. */
function podsContainer({ atMs, node, pods }: NodeSample) {
  const usages = pods.flatMap(({ usage }) => usage ?? []);
  if (usages.length === 0) return [];
  const sum = (of: (usage: Usage) => number | undefined) =>
    usages.reduce((total, usage) => total + (of(usage) ?? 0), 0);
  const startedAtMs = Math.min(...pods.map((pod) => pod.startedAtMs));
  const all: Usage = {
    atMs,
    cpuUsageNs: sum((usage) => usage.cpuUsageNs),
    usageNanoCores: sum((usage) => usage.usageNanoCores),
    memoryUsageBytes: sum((usage) => usage.memoryUsageBytes),
    memoryWorkingSetBytes: sum((usage) => usage.memoryWorkingSetBytes),
    memoryRssBytes: sum((usage) => usage.memoryRssBytes),
    pageFaults: sum((usage) => usage.pageFaults),
    majorPageFaults: sum((usage) => usage.majorPageFaults),
  };
  return [{ name: "pods", startTime: timeOf(startedAtMs), ...cpuAndMemory(all, node.memoryAvailableBytes) }];
}

/** What is left of the pod's limit, where all its containers (or the pod itself) have one. */
function availableTo({ pod, containers }: PodSample, usage: Usage): number | undefined {
  const limits = containers.map(({ spec }) => wantedOf(pod, spec).memoryLimitBytes);
  const own = pod.spec!.resources?.limits?.memory;
  if (limits.length === 0 || limits.some((limit) => limit === 0)) return undefined;
  const total = own === undefined ? limits.reduce((a, b) => a + b, 0) : limits[0]!;
  return Math.max(total - usage.memoryWorkingSetBytes, 0);
}

function cpuAndMemory(usage: Usage, availableBytes?: number) {
  const time = timeOf(usage.atMs);
  return {
    cpu: {
      time,
      ...(usage.usageNanoCores !== undefined && { usageNanoCores: usage.usageNanoCores }),
      usageCoreNanoSeconds: usage.cpuUsageNs,
      ...psiOf(usage.pressure?.cpu),
    },
    memory: {
      time,
      ...(availableBytes !== undefined && { availableBytes }),
      usageBytes: usage.memoryUsageBytes,
      workingSetBytes: usage.memoryWorkingSetBytes,
      rssBytes: usage.memoryRssBytes,
      pageFaults: usage.pageFaults ?? 0,
      majorPageFaults: usage.majorPageFaults ?? 0,
      ...psiOf(usage.pressure?.memory),
    },
    ...(usage.pressure?.io && { io: { time, ...psiOf(usage.pressure.io) } }),
    ...(usage.swapUsageBytes !== undefined && { swap: { time, swapUsageBytes: usage.swapUsageBytes } }),
  };
}

function psiOf(pressure: Pressure | undefined) {
  if (!pressure) return {};
  const of = ({ totalUs, avg10, avg60, avg300 }: Stalls) => ({
    total: totalUs * 1_000,
    avg10,
    avg60,
    avg300,
  });
  return { psi: { full: of(pressure.full), some: of(pressure.some) } };
}

function networkOf(atMs: number, interfaces: readonly InterfaceStats[]) {
  const each = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => ({
    name,
    rxBytes,
    rxErrors,
    txBytes,
    txErrors,
  }));
  const main = each.find(({ name }) => name === "eth0");
  return { time: timeOf(atMs), ...(main ?? { name: "" }), interfaces: each };
}

function fsOf(atMs: number, fs: FsSize) {
  return {
    time: timeOf(atMs),
    availableBytes: fs.availableBytes,
    capacityBytes: fs.capacityBytes,
    usedBytes: fs.capacityBytes - fs.availableBytes,
    inodesFree: fs.inodesFree,
    inodes: fs.inodes,
    inodesUsed: fs.inodes - fs.inodesFree,
  };
}

const used = (use: DiskUsage | undefined) => ({
  usedBytes: use?.usedBytes ?? 0,
  inodesUsed: use?.inodesUsed ?? 0,
});

const usedOf = (disks: DiskSample, use: DiskUsage) => ({ ...fsOf(disks.atMs, disks.nodeFs), ...used(use) });

function volumesOf({ pod }: PodSample, disks: DiskSample) {
  const volumes = disks.volumes.get(pod.metadata.uid!) ?? new Map<string, DiskUsage>();
  const claimed = (disks.mounted.get(pod.metadata.uid!) ?? []).map(({ claim, ...use }) => ({
    time: timeOf(disks.atMs),
    ...use,
    ...(claim && { pvcRef: { name: claim.name, namespace: claim.namespace } }),
  }));
  return [...[...volumes].map(([name, use]) => ({ ...usedOf(disks, use), name })), ...claimed];
}

/** All that the pod has written to the node's own disk. */
function ephemeralOf({ pod, containers }: PodSample, disks: DiskSample): DiskUsage {
  const uses = [
    ...containers.flatMap(({ id }) => [disks.roots.get(id), disks.logs.get(id)]),
    ...(disks.volumes.get(pod.metadata.uid!)?.values() ?? []),
  ];
  const sum = (of: (use: DiskUsage) => number | undefined) =>
    uses.reduce((total, use) => total + ((use && of(use)) ?? 0), 0);
  return { usedBytes: sum((use) => use.usedBytes), inodesUsed: sum((use) => use.inodesUsed) };
}

const timeOf = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
