import type { ContainerStats, ContainerStatus, PodSandboxStatus } from "../../contract.ts";
import { RuntimeError } from "../../contract.ts";
import { podStatsToCri, statsToCri, toNs } from "../translate/index.ts";
import type { Message, Sparse } from "../wire/index.ts";
import { type CriContext, hasLabels, requireContainer, requireSandbox } from "./context.ts";
import type { Handlers } from "./grpc.ts";
import { chunks } from "./sandboxes.ts";

interface Measured {
  status: ContainerStatus;
  stats: ContainerStats;
}

/** The series of ListPodSandboxMetrics, by cAdvisor's names; integers, as CRI has it. */
const series: readonly {
  name: string;
  help: string;
  type: Message<"Metric">["metricType"];
  of: (stats: ContainerStats) => number;
}[] = [
  {
    name: "container_cpu_usage_seconds_total",
    help: "CPU time used, in whole seconds",
    type: "COUNTER",
    of: (s) => Math.floor(s.cpuUsageNs / 1e9),
  },
  {
    name: "container_memory_usage_bytes",
    help: "Memory in use, with all caches",
    type: "GAUGE",
    of: (s) => s.memoryUsageBytes,
  },
  {
    name: "container_memory_working_set_bytes",
    help: "Memory that cannot be taken back under pressure",
    type: "GAUGE",
    of: (s) => s.memoryWorkingSetBytes,
  },
  {
    name: "container_memory_rss",
    help: "Anonymous memory",
    type: "GAUGE",
    of: (s) => s.memoryRssBytes,
  },
];

export function statsHandlers(context: CriContext) {
  const { runtime } = context;

  /** Of those that run. */
  async function measure(containers: readonly ContainerStatus[]): Promise<Measured[]> {
    const running = containers.filter(({ state }) => state === "running");
    const measured = await Promise.all(
      running.map(async (status) => ({ status, stats: await runtime.containerStats(status.id) })),
    );
    return measured.filter((one): one is Measured => one.stats !== undefined);
  }

  const withDisk = async ({ status, stats }: Measured) =>
    statsToCri(status, stats, await runtime.containerDiskUsage(status.id));

  async function containerStats(
    filter: Message<"ContainerStatsFilter"> | null,
  ): Promise<Sparse<"ContainerStats">[]> {
    const wanted = (await runtime.listContainers()).filter(
      (container) =>
        !filter ||
        (container.id.startsWith(filter.id) &&
          container.sandboxId.startsWith(filter.podSandboxId) &&
          hasLabels(container.labels, filter.labelSelector)),
    );
    return Promise.all((await measure(wanted)).map(withDisk));
  }

  async function podStats(sandbox: PodSandboxStatus): Promise<Sparse<"PodSandboxStats">> {
    const containers = await measure(await runtime.listContainers({ sandboxId: sandbox.id }));
    const pod = await runtime.podSandboxStats(sandbox.id);
    if (!pod) throw new RuntimeError("NotFound", `sandbox ${sandbox.id} is not ready`);
    return podStatsToCri(sandbox, pod, containers);
  }

  async function allPodStats(
    filter: Message<"PodSandboxStatsFilter"> | null,
  ): Promise<Sparse<"PodSandboxStats">[]> {
    const wanted = (await runtime.listPodSandboxes()).filter(
      (sandbox) =>
        sandbox.state === "ready" &&
        (!filter || (sandbox.id.startsWith(filter.id) && hasLabels(sandbox.labels, filter.labelSelector))),
    );
    return Promise.all(wanted.map(podStats));
  }

  async function podMetrics(): Promise<Sparse<"PodSandboxMetrics">[]> {
    const byPod = new Map<string, Sparse<"ContainerMetrics">[]>();
    for (const { status, stats } of await measure(await runtime.listContainers())) {
      const ofPod = byPod.get(status.sandboxId) ?? [];
      byPod.set(status.sandboxId, ofPod);
      ofPod.push({ containerId: status.id, metrics: metricsOf(status, stats) });
    }
    return [...byPod].map(([podSandboxId, containerMetrics]) => ({ podSandboxId, containerMetrics }));
  }

  return {
    async ContainerStats({ containerId }) {
      const status = await requireContainer(context, containerId);
      const [measured] = await measure([status]);
      if (!measured) throw new RuntimeError("NotFound", `container ${status.id} is not running`);
      return { stats: await withDisk(measured) };
    },
    async ListContainerStats({ filter }) {
      return { stats: await containerStats(filter) };
    },
    async *StreamContainerStats({ filter }) {
      for (const part of chunks(await containerStats(filter))) yield { containerStats: part };
    },
    async PodSandboxStats({ podSandboxId }) {
      return { stats: await podStats(await requireSandbox(context, podSandboxId)) };
    },
    async ListPodSandboxStats({ filter }) {
      return { stats: await allPodStats(filter) };
    },
    async *StreamPodSandboxStats({ filter }) {
      for (const part of chunks(await allPodStats(filter))) yield { podSandboxStats: part };
    },
    async ListMetricDescriptors() {
      return { descriptors: series.map(({ name, help }) => ({ name, help, labelKeys: ["id", "name"] })) };
    },
    async ListPodSandboxMetrics() {
      return { podMetrics: await podMetrics() };
    },
    async *StreamPodSandboxMetrics() {
      for (const part of chunks(await podMetrics())) yield { podSandboxMetrics: part };
    },
  } satisfies Handlers<"RuntimeService">;
}

function metricsOf(status: ContainerStatus, stats: ContainerStats): Sparse<"Metric">[] {
  return series.map(({ name, type, of }) => ({
    name,
    timestamp: toNs(stats.atMs),
    metricType: type,
    labelValues: [status.id, status.metadata.name],
    value: { value: of(stats) },
  }));
}
