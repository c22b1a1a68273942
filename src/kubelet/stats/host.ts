import { readFile, statfs } from "node:fs/promises";
import { nsPerTick } from "../../base/index.ts";
import { parseNetDev, parsePressure } from "../../runtime/index.ts";
import type { FsSize, NodeSample, Usage } from "./sample.ts";

const pageBytes = 4_096;

const text = (path: string) => readFile(path, "utf8").catch(() => "");

/** How many processes and threads there can be; infinity where nothing tells. */
export async function readProcessesMax(): Promise<number> {
  const limits = ["pid_max", "threads-max"].map(async (name) =>
    Number(await text(`/proc/sys/kernel/${name}`)),
  );
  return Math.min(...(await Promise.all(limits)).filter((limit) => limit > 0));
}

/** What the machine as a whole uses, as /proc tells it. */
export async function readHost(nowMs: number): Promise<NodeSample["node"]> {
  const names = ["stat", "meminfo", "vmstat", "loadavg", "net/dev"];
  const [[stat, meminfo, vmstat, loadavg, netDev], processesMax] = await Promise.all([
    Promise.all(names.map((name) => text(`/proc/${name}`))),
    readProcessesMax(),
  ]);
  const [cpu, memoryStalls, io] = await Promise.all(
    ["cpu", "memory", "io"].map(async (name) => parsePressure(await text(`/proc/pressure/${name}`))),
  );
  const memory = parseMeminfo(meminfo!);
  return {
    atMs: nowMs,
    startedAtMs: Number(/^btime (\d+)$/m.exec(stat!)?.[1] ?? 0) * 1_000,
    cpuUsageNs: busyNs(stat!),
    ...memory,
    pageFaults: Number(/^pgfault (\d+)$/m.exec(vmstat!)?.[1] ?? 0),
    majorPageFaults: Number(/^pgmajfault (\d+)$/m.exec(vmstat!)?.[1] ?? 0),
    processCount: Number(/\/(\d+) /.exec(loadavg!)?.[1] ?? 0),
    processesMax,
    ...(cpu && memoryStalls && io && { pressure: { cpu, memory: memoryStalls, io } }),
    // A pod's end of its cable is the pod's.
    interfaces: parseNetDev(netDev!).filter(({ name }) => !/^(veth|pp|pv)/.test(name)),
  };
}

/** All but waiting: `cpu USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL`; a guest's time is in its user's. */
export function busyNs(stat: string): number {
  const ticks = (/^cpu +(.*)$/m.exec(stat)?.[1] ?? "").split(" ").map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks;
  return (user + nice + system + irq + softirq + steal) * nsPerTick;
}

export function parseMeminfo(meminfo: string) {
  const of = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0) * 1_024;
  const total = of("MemTotal");
  const free = of("MemFree");
  // As eviction counts: what the kernel could take back at once is available.
  const available = free + of("Inactive\\(file\\)");
  return {
    memoryUsageBytes: total - free,
    memoryWorkingSetBytes: total - available,
    memoryAvailableBytes: available,
    memoryRssBytes: of("AnonPages"),
    swapUsageBytes: of("SwapTotal") - of("SwapFree"),
  };
}

/** What this process uses. */
export async function readSelf(nowMs: number): Promise<Usage & { startedAtMs: number }> {
  const [stat, statm, uptime] = await Promise.all([
    text("/proc/self/stat"),
    text("/proc/self/statm"),
    text("/proc/uptime"),
  ]);
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const at = (field: number) => Number(fields[field - 3] ?? 0);
  const [size = 0, resident = 0, shared = 0] = statm.split(" ").map(Number);
  const bootedAtMs = nowMs - Number(uptime.split(" ")[0] ?? 0) * 1_000;
  return {
    atMs: nowMs,
    startedAtMs: bootedAtMs + (at(22) * nsPerTick) / 1e6,
    cpuUsageNs: (at(14) + at(15)) * nsPerTick,
    memoryUsageBytes: Math.min(resident, size) * pageBytes,
    memoryWorkingSetBytes: resident * pageBytes,
    memoryRssBytes: (resident - shared) * pageBytes,
    pageFaults: at(10) + at(12),
    majorPageFaults: at(12),
  };
}

export async function readFs(folder: string): Promise<FsSize> {
  const { bavail, blocks, bsize, ffree, files } = await statfs(folder);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    inodes: files,
    inodesFree: ffree,
  };
}
