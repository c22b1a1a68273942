import { readFile, statfs } from "node:fs/promises";
import os from "node:os";

/** What the agent finds on the machine it runs on. */
export interface HostInfo {
  hostname: string;
  cpus: number;
  memoryBytes: number;
  /** Of the file system the pods' folders are on. */
  storageBytes: number;
  kernelVersion: string;
  osImage: string;
  /** As Go names it: `amd64`, `arm64`. */
  architecture: string;
  machineId: string;
  bootId: string;
  systemUuid: string;
  hugepages: Record<string, string>;
}

/** What changes from one look to the next. */
export interface HostPressure {
  memoryAvailableBytes: number;
  storageAvailableBytes: number;
  storageBytes: number;
  pidsAvailable: number;
}

const text = (path: string) =>
  readFile(path, "utf8").then(
    (content) => content.trim(),
    () => "",
  );

export async function readHostInfo(dir: string): Promise<HostInfo> {
  const [osRelease, machineId, bootId, systemUuid, disk] = await Promise.all([
    text("/etc/os-release"),
    text("/etc/machine-id"),
    text("/proc/sys/kernel/random/boot_id"),
    text("/sys/class/dmi/id/product_uuid"),
    statfs(dir),
  ]);
  return {
    hostname: os.hostname(),
    cpus: os.cpus().length,
    memoryBytes: os.totalmem(),
    storageBytes: disk.blocks * disk.bsize,
    kernelVersion: os.release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    architecture: { x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch,
    machineId,
    bootId,
    systemUuid: systemUuid || machineId,
    hugepages: {},
  };
}

export async function readHostPressure(dir: string): Promise<HostPressure> {
  const [meminfo, pidsMax, loadavg, disk] = await Promise.all([
    text("/proc/meminfo"),
    text("/proc/sys/kernel/pid_max"),
    text("/proc/loadavg"),
    statfs(dir),
  ]);
  const availableKb = Number(/^MemAvailable:\s+(\d+)/m.exec(meminfo)?.[1] ?? 0);
  const processes = Number(/\/(\d+) /.exec(loadavg)?.[1] ?? 0);
  return {
    memoryAvailableBytes: availableKb > 0 ? availableKb * 1_024 : os.freemem(),
    storageAvailableBytes: disk.bavail * disk.bsize,
    storageBytes: disk.blocks * disk.bsize,
    pidsAvailable: Number(pidsMax || Number.MAX_SAFE_INTEGER) - processes,
  };
}
