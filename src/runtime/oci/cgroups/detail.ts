import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { nsPerTick } from "../../../base/index.ts";
import type { CgroupDetail, DeviceIo } from "../../contract.ts";
import { keyedValue, processesBelow, readCgroupFile } from "./files.ts";
import type { V1Paths } from "./stats.ts";

/** `stat`: memory.stat, which was read already. */
export function detailV1({ cpuacct, memory, pids }: V1Paths, stat: string | undefined): CgroupDetail {
  const cpu = readCgroupFile(`${cpuacct}/cpuacct.stat`);
  const max = readCgroupFile(`${memory}/memory.max_usage_in_bytes`);
  return {
    cpuUserNs: (keyedValue(cpu, "user") ?? 0) * nsPerTick,
    cpuSystemNs: (keyedValue(cpu, "system") ?? 0) * nsPerTick,
    memoryCacheBytes: keyedValue(stat, "total_cache") ?? 0,
    memoryMappedBytes: keyedValue(stat, "total_mapped_file") ?? 0,
    ...(max !== undefined && { memoryMaxBytes: Number(max) }),
    memoryLimitHits: Number(readCgroupFile(`${memory}/memory.failcnt`) ?? 0),
    oomKills: keyedValue(readCgroupFile(`${memory}/memory.oom_control`), "oom_kill") ?? 0,
    // Limits of what is read and written are not set on cgroup v1, where it would take a cgroup more a container.
    io: [],
    ...ofProcesses(pids ?? memory!),
  };
}

export function detailV2(
  path: string,
  stat: { cpu: string | undefined; memory: string | undefined },
): CgroupDetail {
  const events = readCgroupFile(`${path}/memory.events`);
  const max = readCgroupFile(`${path}/memory.peak`);
  return {
    cpuUserNs: (keyedValue(stat.cpu, "user_usec") ?? 0) * 1_000,
    cpuSystemNs: (keyedValue(stat.cpu, "system_usec") ?? 0) * 1_000,
    memoryCacheBytes: keyedValue(stat.memory, "file") ?? 0,
    memoryMappedBytes: keyedValue(stat.memory, "file_mapped") ?? 0,
    ...(max !== undefined && { memoryMaxBytes: Number(max) }),
    memoryLimitHits: keyedValue(events, "max") ?? 0,
    oomKills: keyedValue(events, "oom_kill") ?? 0,
    io: parseIo(readCgroupFile(`${path}/io.stat`)),
    ...ofProcesses(path),
  };
}

/** `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`, a line a device. */
export function parseIo(text: string | undefined): DeviceIo[] {
  return (text ?? "").split("\n").flatMap((line) => {
    const [, major, minor, rest = ""] = /^(\d+):(\d+) (.*)$/.exec(line) ?? [];
    if (major === undefined) return [];
    const of = (name: string) => Number(new RegExp(`\\b${name}=(\\d+)`).exec(rest)?.[1] ?? 0);
    return {
      major: Number(major),
      minor: Number(minor),
      readBytes: of("rbytes"),
      writeBytes: of("wbytes"),
      reads: of("rios"),
      writes: of("wios"),
    };
  });
}

function ofProcesses(path: string) {
  const pids = processesBelow(path);
  const open = pids.map(openOf);
  const sum = (of: (files: { descriptors: number; sockets: number }) => number) =>
    open.reduce((total, files) => total + of(files), 0);
  const threadsMax = Number((readCgroupFile(`${path}/pids.max`) ?? "0").trim());
  const openFilesMax = pids[0] === undefined ? undefined : openFilesMaxOf(pids[0]);
  return {
    processes: pids.length,
    threads: Number(readCgroupFile(`${path}/pids.current`) ?? pids.length),
    threadsMax: Number.isFinite(threadsMax) ? threadsMax : 0,
    descriptors: sum(({ descriptors }) => descriptors),
    sockets: sum(({ sockets }) => sockets),
    ...(openFilesMax !== undefined && { openFilesMax }),
  };
}

/** Of a process that ends meanwhile, none. */
function openOf(pid: number): { descriptors: number; sockets: number } {
  const folder = `/proc/${pid}/fd`;
  try {
    const names = readdirSync(folder);
    return {
      descriptors: names.length,
      sockets: names.filter((name) => isSocket(`${folder}/${name}`)).length,
    };
  } catch {
    return { descriptors: 0, sockets: 0 };
  }
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith("socket:");
  } catch {
    return false;
  }
}

function openFilesMaxOf(pid: number): number | undefined {
  try {
    const limit = /^Max open files +(\S+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1];
    return limit === undefined || limit === "unlimited" ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
