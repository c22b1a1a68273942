import type { CgroupPressure, CgroupUsage, UsageDetail } from "../../contract.ts";
import { parsePressure } from "../../linux/pressure.ts";
import { detailV1, detailV2 } from "./detail.ts";
import { keyedValue, readCgroupFile } from "./files.ts";

/** Where cgroup v1 has a cgroup's files: its controllers' paths may differ. */
export interface V1Paths {
  cpuacct?: string;
  memory?: string;
  pids?: string;
}

/** What the processes of a cgroup use, as cgroup v1 tells it. */
export function usageV1(paths: V1Paths, detail: UsageDetail = "usage"): CgroupUsage | undefined {
  const usage = readCgroupFile(`${paths.cpuacct}/cpuacct.usage`);
  const memory = readCgroupFile(`${paths.memory}/memory.usage_in_bytes`);
  if (usage === undefined || memory === undefined) return undefined;
  const stat = readCgroupFile(`${paths.memory}/memory.stat`);
  const usedBytes = Number(memory);
  const inactiveBytes = keyedValue(stat, "total_inactive_file") ?? 0;
  const pids = readCgroupFile(`${paths.pids}/pids.current`);
  return {
    cpuUsageNs: Number(usage),
    memoryUsageBytes: usedBytes,
    memoryWorkingSetBytes: Math.max(usedBytes - inactiveBytes, 0),
    memoryRssBytes: keyedValue(stat, "total_rss") ?? 0,
    pageFaults: keyedValue(stat, "total_pgfault"),
    majorPageFaults: keyedValue(stat, "total_pgmajfault"),
    ...(pids !== undefined && { processCount: Number(pids) }),
    ...(detail === "all" && { detail: detailV1(paths, stat) }),
  };
}

/** The same of cgroup v2. */
export function usageV2(path: string, detail: UsageDetail = "usage"): CgroupUsage | undefined {
  const cpu = readCgroupFile(`${path}/cpu.stat`);
  if (cpu === undefined) return undefined;
  const stat = readCgroupFile(`${path}/memory.stat`);
  const usedBytes = Number(readCgroupFile(`${path}/memory.current`) ?? 0);
  const inactiveBytes = keyedValue(stat, "inactive_file") ?? 0;
  const swap = readCgroupFile(`${path}/memory.swap.current`);
  const pids = readCgroupFile(`${path}/pids.current`);
  return {
    cpuUsageNs: (keyedValue(cpu, "usage_usec") ?? 0) * 1000,
    memoryUsageBytes: usedBytes,
    memoryWorkingSetBytes: Math.max(usedBytes - inactiveBytes, 0),
    memoryRssBytes: keyedValue(stat, "anon") ?? 0,
    pageFaults: keyedValue(stat, "pgfault"),
    majorPageFaults: keyedValue(stat, "pgmajfault"),
    ...(swap !== undefined && { swapUsageBytes: Number(swap) }),
    ...(pids !== undefined && { processCount: Number(pids) }),
    ...(detail !== "usage" && pressureOf(path)),
    ...(detail === "all" && { detail: detailV2(path, { cpu, memory: stat }) }),
  };
}

function pressureOf(path: string): { pressure?: CgroupPressure } {
  const [cpu, memory, io] = ["cpu", "memory", "io"].map((name) =>
    parsePressure(readCgroupFile(`${path}/${name}.pressure`)),
  );
  if (!cpu && !memory && !io) return {};
  return { pressure: { ...(cpu && { cpu }), ...(memory && { memory }), ...(io && { io }) } };
}
