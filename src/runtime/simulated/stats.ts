import type { CgroupUsage } from "../contract.ts";

/** What a simulated container uses unless a test says otherwise. */
export const noUsage: CgroupUsage = {
  cpuUsageNs: 0,
  memoryUsageBytes: 0,
  memoryWorkingSetBytes: 0,
  memoryRssBytes: 0,
};

/** A pod's usage is that of its containers. */
export function sumUsage(usages: readonly CgroupUsage[]): CgroupUsage {
  const sum = (of: (usage: CgroupUsage) => number) => usages.reduce((total, usage) => total + of(usage), 0);
  return {
    cpuUsageNs: sum((usage) => usage.cpuUsageNs),
    memoryUsageBytes: sum((usage) => usage.memoryUsageBytes),
    memoryWorkingSetBytes: sum((usage) => usage.memoryWorkingSetBytes),
    memoryRssBytes: sum((usage) => usage.memoryRssBytes),
    processCount: sum((usage) => usage.processCount ?? 0),
  };
}
