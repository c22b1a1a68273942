import { readdir, readFile, statfs } from "node:fs/promises";
import os from "node:os";
import { Quantity } from "../../machinery/index.ts";
import { readProcessesMax } from "../stats/host.ts";

/** What the agent finds on the machine it runs on. */
export interface HostInfo {
  hostname: string;
  cpus: number;
  memoryBytes: number;
  /** How many processes there can be. */
  pidsMax: number;
  /** Of the file system the pods' folders are on. */
  storageBytes: number;
  kernelVersion: string;
  osImage: string;
  /** As Go names it: `amd64`, `arm64`. */
  architecture: string;
  machineId: string;
  bootId: string;
  systemUuid: string;
  /** The version by which processes are limited here. */
  cgroups: "v1" | "v2";
  /** What is set aside of each size that the kernel knows: `hugepages-2Mi`. */
  hugepages: Record<string, string>;
}

const text = (path: string) =>
  readFile(path, "utf8").then(
    (content) => content.trim(),
    () => "",
  );

export async function readHostInfo(dir: string): Promise<HostInfo> {
  const [osRelease, machineId, bootId, systemUuid, pidsMax, disk, hugepages] = await Promise.all([
    text("/etc/os-release"),
    text("/etc/machine-id"),
    text("/proc/sys/kernel/random/boot_id"),
    text("/sys/class/dmi/id/product_uuid"),
    readProcessesMax(),
    statfs(dir),
    readHugepages("/sys/kernel/mm/hugepages"),
  ]);
  return {
    hostname: os.hostname(),
    cpus: os.cpus().length,
    memoryBytes: os.totalmem(),
    pidsMax,
    storageBytes: disk.blocks * disk.bsize,
    kernelVersion: os.release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
    architecture: { x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch,
    machineId,
    bootId,
    systemUuid: systemUuid || machineId,
    cgroups: (await text("/sys/fs/cgroup/cgroup.controllers")) === "" ? "v1" : "v2",
    hugepages,
  };
}

/** A folder a size, `hugepages-2048kB`, says how many pages there are. Empty where the kernel has none. */
export async function readHugepages(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const hugepages: Record<string, string> = {};
  for (const name of names.sort()) {
    const sizeBytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0) * 1_024;
    if (sizeBytes === 0) continue;
    const pages = Number(await text(`${folder}/${name}/nr_hugepages`));
    const size = Quantity.of(sizeBytes, "binarySI");
    hugepages[`hugepages-${size}`] = Quantity.of(pages * sizeBytes, "binarySI").toString();
  }
  return hugepages;
}
