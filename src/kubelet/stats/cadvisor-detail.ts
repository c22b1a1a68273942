import { readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { CgroupDetail, DeviceIo, Pressure } from "../../runtime/index.ts";
import type { Metric, Series } from "./exposition.ts";
import type { Usage } from "./sample.ts";

/** A series' labels, and what was measured. */
export interface Measured {
  labels: Readonly<Record<string, string>>;
  usage: Usage;
}

type Count = readonly [name: string, help: string, of: (detail: CgroupDetail) => number | undefined];

const counters: readonly Count[] = [
  ["cpu_user_seconds_total", "Cumulative user cpu time consumed in seconds.", (d) => d.cpuUserNs / 1e9],
  ["cpu_system_seconds_total", "Cumulative system cpu time consumed in seconds.", (d) => d.cpuSystemNs / 1e9],
  ["memory_failcnt", "Number of memory usage hits limits", (d) => d.memoryLimitHits],
  ["oom_events_total", "Count of out of memory events observed for the container", (d) => d.oomKills],
];

const gauges: readonly Count[] = [
  ["memory_cache", "Number of bytes of page cache memory.", (d) => d.memoryCacheBytes],
  ["memory_mapped_file", "Size of memory mapped files in bytes.", (d) => d.memoryMappedBytes],
  ["memory_max_usage_bytes", "Maximum memory usage recorded in bytes", (d) => d.memoryMaxBytes],
  ["threads", "Number of threads running inside the container.", (d) => d.threads],
  [
    "threads_max",
    "Maximum number of threads allowed inside the container, infinity if value is zero",
    (d) => d.threadsMax,
  ],
  ["file_descriptors", "Number of open file descriptors for the container.", (d) => d.descriptors],
  ["sockets", "Number of open sockets for the container.", (d) => d.sockets],
];

type IoCount = readonly [name: string, help: string, of: (io: DeviceIo) => number];

const ioCounters: readonly IoCount[] = [
  ["fs_reads_bytes_total", "Cumulative count of bytes read", (io) => io.readBytes],
  ["fs_writes_bytes_total", "Cumulative count of bytes written", (io) => io.writeBytes],
  ["fs_reads_total", "Cumulative count of reads completed", (io) => io.reads],
  ["fs_writes_total", "Cumulative count of writes completed", (io) => io.writes],
];

const pressures = ["cpu", "memory", "io"] as const;

/** What cAdvisor tells of a cgroup beside its usage, by cAdvisor's names. */
export function detailMetrics(measured: readonly Measured[]): Metric[] {
  const detailed = measured.filter(({ usage }) => usage.detail);
  const ofDetail = (type: Metric["type"], [name, help, of]: Count): Metric => ({
    ...{ name: `container_${name}`, help, type },
    series: detailed.flatMap(({ labels, usage }) => seriesOf(labels, usage, of(usage.detail!))),
  });
  return [
    ...counters.map((count) => ofDetail("counter", count)),
    ...gauges.map((count) => ofDetail("gauge", count)),
    {
      name: "container_processes",
      help: "Number of processes running inside the container.",
      type: "gauge",
      series: measured.flatMap(({ labels, usage }) =>
        seriesOf(labels, usage, usage.detail?.processes ?? usage.processCount),
      ),
    },
    {
      name: "container_ulimits_soft",
      help: "Soft ulimit values for the container root process. Unlimited if -1, except priority and nice",
      type: "gauge",
      series: detailed.flatMap(({ labels, usage }) =>
        seriesOf({ ...labels, ulimit: "max_open_files" }, usage, usage.detail!.openFilesMax),
      ),
    },
    ...ioMetrics(detailed),
    ...pressures.flatMap((kind) => pressureMetrics(measured, kind)),
  ];
}

function ioMetrics(detailed: readonly Measured[]): Metric[] {
  const each = detailed.flatMap(({ labels, usage }) => usage.detail!.io.map((io) => ({ labels, usage, io })));
  const devices = new Map(each.map(({ io }) => [keyOf(io), deviceOf(io)]));
  const labelsOf = (labels: Measured["labels"], io: DeviceIo) => ({
    ...labels,
    device: devices.get(keyOf(io))!,
  });
  return [
    {
      name: "container_blkio_device_usage_total",
      help: "Blkio Device bytes usage",
      type: "counter",
      series: each.flatMap(({ labels, usage, io }) => {
        const more = { ...labelsOf(labels, io), major: String(io.major), minor: String(io.minor) };
        return [
          ...seriesOf({ ...more, operation: "Read" }, usage, io.readBytes),
          ...seriesOf({ ...more, operation: "Write" }, usage, io.writeBytes),
        ];
      }),
    },
    ...ioCounters.map(
      ([name, help, of]): Metric => ({
        ...{ name: `container_${name}`, help, type: "counter" },
        series: each.flatMap(({ labels, usage, io }) => seriesOf(labelsOf(labels, io), usage, of(io))),
      }),
    ),
  ];
}

/** `waiting`: some of the processes did; `stalled`: all of them. */
function pressureMetrics(measured: readonly Measured[], kind: (typeof pressures)[number]): Metric[] {
  const metric = (how: "waiting" | "stalled", of: (pressure: Pressure) => number): Metric => ({
    name: `container_pressure_${kind}_${how}_seconds_total`,
    help: `Total time duration ${how === "waiting" ? "tasks" : "no tasks"} in the container ${how === "waiting" ? "have waited" : "could make progress"} due to ${kind} congestion.`,
    type: "counter",
    series: measured.flatMap(({ labels, usage }) => {
      const pressure = usage.pressure?.[kind];
      return pressure ? seriesOf(labels, usage, of(pressure) / 1e6) : [];
    }),
  });
  return [metric("waiting", ({ some }) => some.totalUs), metric("stalled", ({ full }) => full.totalUs)];
}

const seriesOf = (
  labels: Readonly<Record<string, string>>,
  { atMs }: Usage,
  value: number | undefined,
): Series[] => (value === undefined ? [] : [{ labels, value, atMs }]);

const keyOf = ({ major, minor }: DeviceIo) => `${major}:${minor}`;

/** `/dev/sda`; the number where the kernel names none. */
function deviceOf(io: DeviceIo): string {
  try {
    return `/dev/${basename(readlinkSync(`/sys/dev/block/${keyOf(io)}`))}`;
  } catch {
    return keyOf(io);
  }
}
