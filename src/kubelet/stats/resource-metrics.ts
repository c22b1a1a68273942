import type { Metric, Series } from "./exposition.ts";
import type { NodeSample, PodSample, Usage } from "./sample.ts";

/** `/metrics/resource`: what autoscalers and metrics-server scrape. As `pkg/kubelet/metrics/collectors`. */
export function resourceMetrics(sample: NodeSample): Metric[] {
  const { node, pods } = sample;
  const containers = pods.flatMap(({ pod, containers }) =>
    containers.map((container) => ({
      ...container,
      labels: { ...labelsOf(pod), container: container.name },
    })),
  );
  const ofContainers = (value: (usage: Usage) => number | undefined): Series[] =>
    containers.flatMap(({ labels, usage }) => seriesOf(labels, usage, value));
  const ofPods = (value: (usage: Usage) => number | undefined): Series[] =>
    pods.flatMap(({ pod, usage }) => (usage ? seriesOf(labelsOf(pod), usage, value) : []));
  const ofNode = (value: (usage: Usage) => number | undefined) => seriesOf({}, node, value);
  const cpuS = ({ cpuUsageNs }: Usage) => cpuUsageNs / 1e9;
  const workingSet = ({ memoryWorkingSetBytes }: Usage) => memoryWorkingSetBytes;
  const swap = ({ swapUsageBytes = 0 }: Usage) => swapUsageBytes;
  return [
    counter(
      "container_cpu_usage_seconds_total",
      "Cumulative cpu time consumed by the container in core-seconds",
      ofContainers(cpuS),
    ),
    gauge(
      "container_memory_working_set_bytes",
      "Current working set of the container in bytes",
      ofContainers(workingSet),
    ),
    gauge(
      "container_start_time_seconds",
      "Start time of the container since unix epoch in seconds",
      containers.map(({ labels, startedAtMs }) => ({ labels, value: startedAtMs / 1_000 })),
    ),
    gauge(
      "container_swap_usage_bytes",
      "Current amount of the container swap usage in bytes",
      ofContainers(swap),
    ),
    counter(
      "node_cpu_usage_seconds_total",
      "Cumulative cpu time consumed by the node in core-seconds",
      ofNode(cpuS),
    ),
    gauge("node_memory_working_set_bytes", "Current working set of the node in bytes", ofNode(workingSet)),
    gauge("node_swap_usage_bytes", "Current swap usage of the node in bytes", ofNode(swap)),
    counter(
      "pod_cpu_usage_seconds_total",
      "Cumulative cpu time consumed by the pod in core-seconds",
      ofPods(cpuS),
    ),
    gauge("pod_memory_working_set_bytes", "Current working set of the pod in bytes", ofPods(workingSet)),
    gauge("pod_swap_usage_bytes", "Current amount of the pod swap usage in bytes", ofPods(swap)),
    gauge("resource_scrape_error", "1 if there was an error while getting container metrics, 0 otherwise", [
      { value: 0 },
    ]),
    // Its name before v1.29, which is still scraped.
    gauge("scrape_error", "1 if there was an error while getting container metrics, 0 otherwise", [
      { value: 0 },
    ]),
  ];
}

const counter = (name: string, help: string, series: Series[]): Metric => ({
  name,
  help,
  type: "counter",
  series,
});
const gauge = (name: string, help: string, series: Series[]): Metric => ({
  name,
  help,
  type: "gauge",
  series,
});

const labelsOf = ({ metadata }: PodSample["pod"]) => ({
  namespace: metadata.namespace!,
  pod: metadata.name!,
});

function seriesOf(
  labels: Record<string, string>,
  usage: Usage,
  value: (usage: Usage) => number | undefined,
): Series[] {
  const found = value(usage);
  return found === undefined ? [] : [{ labels, value: found, atMs: usage.atMs }];
}
