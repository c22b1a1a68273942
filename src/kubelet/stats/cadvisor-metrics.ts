import type { InterfaceStats } from "../../runtime/index.ts";
import { cpuQuotaUs, cpuShares, podCgroupParent, quotaPeriodUs } from "../container/resources.ts";
import { wantedOf } from "../resize/actuated.ts";
import { detailMetrics } from "./cadvisor-detail.ts";
import type { Metric, Series } from "./exposition.ts";
import type { ContainerSample, DiskSample, NodeSample, PodSample, Usage } from "./sample.ts";

/** What a series is about: the machine (`id` is `/`), a pod's cgroup, or a container's. */
interface Subject {
  labels: Record<string, string>;
  usage: Usage;
  startedAtMs: number;
  container?: { sample: ContainerSample; pod: PodSample };
}

/** `/metrics/cadvisor`: cAdvisor's names and labels, for the dashboards that know them. */
export function cadvisorMetrics(
  sample: NodeSample,
  disks: DiskSample,
  machine: { cpus: number; memoryBytes: number },
): Metric[] {
  const subjects = subjectsOf(sample);
  const of = (value: (subject: Subject) => number | undefined, more: Record<string, string> = {}): Series[] =>
    subjects.flatMap((subject) => {
      const found = value(subject);
      if (found === undefined) return [];
      return [{ labels: { ...subject.labels, ...more }, value: found, atMs: subject.usage.atMs }];
    });
  const counter = (name: string, help: string, series: Series[]): Metric => ({
    ...{ name: `container_${name}`, help, series },
    type: "counter",
  });
  const gauge = (name: string, help: string, series: Series[]): Metric => ({
    ...{ name: `container_${name}`, help, series },
    type: "gauge",
  });
  const spec = (value: (wanted: ReturnType<typeof wantedOf>) => number | undefined) =>
    of(({ container }) => container && value(wantedOf(container.pod.pod, container.sample.spec)));
  return [
    counter(
      "cpu_usage_seconds_total",
      "Cumulative cpu time consumed in seconds.",
      of(({ usage }) => usage.cpuUsageNs / 1e9, { cpu: "total" }),
    ),
    gauge(
      "memory_usage_bytes",
      "Current memory usage in bytes, including all memory regardless of when it was accessed",
      of(({ usage }) => usage.memoryUsageBytes),
    ),
    gauge(
      "memory_working_set_bytes",
      "Current working set in bytes.",
      of(({ usage }) => usage.memoryWorkingSetBytes),
    ),
    gauge(
      "memory_rss",
      "Size of RSS in bytes.",
      of(({ usage }) => usage.memoryRssBytes),
    ),
    gauge(
      "memory_swap",
      "Container swap usage in bytes.",
      of(({ usage }) => usage.swapUsageBytes ?? 0),
    ),
    counter("memory_failures_total", "Cumulative count of memory allocation failures.", [
      ...of(({ usage }) => usage.pageFaults, { failure_type: "pgfault", scope: "hierarchy" }),
      ...of(({ usage }) => usage.majorPageFaults, { failure_type: "pgmajfault", scope: "hierarchy" }),
    ]),
    gauge(
      "start_time_seconds",
      "Start time of the container since unix epoch in seconds.",
      of(({ startedAtMs }) => startedAtMs / 1_000),
    ),
    gauge(
      "last_seen",
      "Last time a container was seen by the exporter",
      of(({ usage }) => Math.floor(usage.atMs / 1_000)),
    ),
    gauge(
      "spec_cpu_period",
      "CPU period of the container.",
      spec(() => quotaPeriodUs),
    ),
    gauge(
      "spec_cpu_quota",
      "CPU quota of the container.",
      spec(({ cpuLimitMilli }) => cpuQuotaUs(cpuLimitMilli)),
    ),
    gauge(
      "spec_cpu_shares",
      "CPU share of the container.",
      spec(({ cpuRequestMilli }) => cpuShares(cpuRequestMilli)),
    ),
    gauge(
      "spec_memory_limit_bytes",
      "Memory limit for the container.",
      spec(({ memoryLimitBytes }) => memoryLimitBytes),
    ),
    gauge(
      "spec_memory_reservation_limit_bytes",
      "Memory reservation limit for the container.",
      spec(() => 0),
    ),
    gauge(
      "spec_memory_swap_limit_bytes",
      "Memory swap limit for the container.",
      spec(({ memoryLimitBytes }) => memoryLimitBytes),
    ),
    gauge(
      "fs_usage_bytes",
      "Number of bytes that are consumed by the container on this filesystem.",
      of(({ container }) => container && disks.roots.get(container.sample.id)?.usedBytes),
    ),
    gauge(
      "fs_limit_bytes",
      "Number of bytes that can be consumed by the container on this filesystem.",
      of(({ container }) => container && disks.imageFs.capacityBytes),
    ),
    ...detailMetrics(subjects),
    ...networkMetrics(sample, counter),
    {
      name: "machine_cpu_cores",
      help: "Number of logical CPU cores.",
      type: "gauge",
      series: [{ value: machine.cpus }],
    },
    {
      name: "machine_memory_bytes",
      help: "Amount of memory installed on the machine.",
      type: "gauge",
      series: [{ value: machine.memoryBytes }],
    },
  ];
}

const nobody = { container: "", image: "", name: "", namespace: "", pod: "" };

function subjectsOf({ node, pods }: NodeSample): Subject[] {
  return [
    { labels: { ...nobody, id: "/" }, usage: node, startedAtMs: node.startedAtMs },
    ...pods.flatMap((pod): Subject[] => {
      const { usage, startedAtMs } = pod;
      return [
        ...(usage ? [{ labels: labelsOfPod(pod), usage, startedAtMs }] : []),
        ...pod.containers.map((sample) => ({
          labels: {
            ...labelsOfPod(pod),
            id: `${idOf(pod)}/${sample.id}`,
            container: sample.name,
            image: sample.image,
            name: sample.id,
          },
          usage: sample.usage,
          startedAtMs: sample.startedAtMs,
          container: { sample, pod },
        })),
      ];
    }),
  ];
}

const idOf = ({ pod }: PodSample) => `/${podCgroupParent(pod)}`;

const labelsOfPod = (sample: PodSample) => ({
  ...nobody,
  id: idOf(sample),
  namespace: sample.pod.metadata.namespace!,
  pod: sample.pod.metadata.name!,
});

const directions: [name: string, help: string, of: (stats: InterfaceStats) => number | undefined][] = [
  ["receive_bytes", "Cumulative count of bytes received", (stats) => stats.rxBytes],
  ["receive_errors", "Cumulative count of errors encountered while receiving", (stats) => stats.rxErrors],
  ["receive_packets", "Cumulative count of packets received", (stats) => stats.rxPackets],
  [
    "receive_packets_dropped",
    "Cumulative count of packets dropped while receiving",
    (stats) => stats.rxDropped,
  ],
  ["transmit_bytes", "Cumulative count of bytes transmitted", (stats) => stats.txBytes],
  ["transmit_errors", "Cumulative count of errors encountered while transmitting", (stats) => stats.txErrors],
  ["transmit_packets", "Cumulative count of packets transmitted", (stats) => stats.txPackets],
  [
    "transmit_packets_dropped",
    "Cumulative count of packets dropped while transmitting",
    (stats) => stats.txDropped,
  ],
];

function networkMetrics(
  { node, pods }: NodeSample,
  counter: (name: string, help: string, series: Series[]) => Metric,
): Metric[] {
  const { container: _, ...machine } = { ...nobody, id: "/" };
  const all = [
    ...node.interfaces.map((stats) => ({ labels: machine, stats, atMs: node.atMs })),
    ...pods.flatMap((pod) => {
      const { container: __, ...labels } = labelsOfPod(pod);
      return (pod.interfaces ?? []).map((stats) => ({ labels, stats, atMs: pod.usage!.atMs }));
    }),
  ];
  return directions.map(([name, help, of]) =>
    counter(
      `network_${name}_total`,
      help,
      all.flatMap(({ labels, stats, atMs }) => {
        const value = of(stats);
        return value === undefined ? [] : [{ labels: { ...labels, interface: stats.name }, value, atMs }];
      }),
    ),
  );
}
