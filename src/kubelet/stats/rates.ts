import type { NodeSample, Usage } from "./sample.ts";

/** A moment's count of what only grows. */
interface Reading {
  cpuUsageNs: number;
  atMs: number;
}

/** What a rate is made from: readings by what they are of. */
export type Readings = ReadonlyMap<string, Reading>;

/** A window must be long enough to say something, and short enough to be about now. */
export const windowMsMin = 500;
export const windowMsMax = 60_000;

export function readingsOf(sample: NodeSample): Readings {
  const readings = new Map<string, Reading>();
  eachUsage(sample, (key, { cpuUsageNs, atMs }) => readings.set(key, { cpuUsageNs, atMs }));
  return readings;
}

/** Whether every rate of the sample can be told from these readings. */
export function areEnough(sample: NodeSample, before: Readings): boolean {
  let isEnough = true;
  eachUsage(sample, (key, usage) => {
    if (rateOf(usage, before.get(key)) === undefined) isEnough = false;
  });
  return isEnough;
}

/** The sample with rates, where they can be told. */
export function withRates(sample: NodeSample, before: Readings): NodeSample {
  const rated = <T extends Usage>(key: string, usage: T): T => {
    const usageNanoCores = rateOf(usage, before.get(key));
    return usageNanoCores === undefined ? usage : { ...usage, usageNanoCores };
  };
  const first = before.get("node");
  return {
    ...sample,
    ...(first && { windowMs: sample.node.atMs - first.atMs }),
    node: rated("node", sample.node),
    kubelet: rated("kubelet", sample.kubelet),
    pods: sample.pods.map((pod) => ({
      ...pod,
      ...(pod.usage && { usage: rated(`pod/${pod.pod.metadata.uid}`, pod.usage) }),
      containers: pod.containers.map((container) => ({
        ...container,
        usage: rated(`container/${container.id}`, container.usage),
      })),
    })),
  };
}

function rateOf(usage: Usage, before: Reading | undefined): number | undefined {
  if (!before) return undefined;
  const windowMs = usage.atMs - before.atMs;
  if (windowMs < windowMsMin || windowMs > windowMsMax) return undefined;
  return Math.max(0, Math.round(((usage.cpuUsageNs - before.cpuUsageNs) * 1_000) / windowMs));
}

function eachUsage(sample: NodeSample, see: (key: string, usage: Usage) => void): void {
  see("node", sample.node);
  see("kubelet", sample.kubelet);
  for (const { pod, usage, containers } of sample.pods) {
    if (usage) see(`pod/${pod.metadata.uid}`, usage);
    for (const container of containers) see(`container/${container.id}`, container.usage);
  }
}
