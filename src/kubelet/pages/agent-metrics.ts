import type { Metric } from "../stats/exposition.ts";
import type { Usage } from "../stats/sample.ts";
import type { MeasuredPod } from "../stats/sampler.ts";

/** `/metrics`: of the agent itself, by upstream's names. */
export function agentMetrics(
  nodeName: string,
  pods: readonly MeasuredPod[],
  self: Usage & { startedAtMs: number },
): Metric[] {
  const states = new Map<string, number>();
  for (const { containers } of pods)
    for (const { state } of containers) states.set(state, (states.get(state) ?? 0) + 1);
  const running = pods.filter(({ sandboxId }) => sandboxId !== undefined).length;
  const gauge = (name: string, help: string, value: number): Metric => ({
    ...{ name, help, series: [{ value }] },
    type: "gauge",
  });
  return [
    {
      name: "kubelet_node_name",
      help: "The node's name. The count is always 1.",
      type: "gauge",
      series: [{ labels: { node: nodeName }, value: 1 }],
    },
    gauge("kubelet_running_pods", "Number of pods that have a running pod sandbox", running),
    {
      name: "kubelet_running_containers",
      help: "Number of containers currently running",
      type: "gauge",
      series: [...states].map(([container_state, value]) => ({ labels: { container_state }, value })),
    },
    {
      name: "process_cpu_seconds_total",
      help: "Total user and system CPU time spent in seconds.",
      type: "counter",
      series: [{ value: self.cpuUsageNs / 1e9 }],
    },
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", self.memoryWorkingSetBytes),
    gauge(
      "process_start_time_seconds",
      "Start time of the process since unix epoch in seconds.",
      self.startedAtMs / 1_000,
    ),
  ];
}
