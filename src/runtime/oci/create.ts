import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { Clock, Log, Random } from "../../base/index.ts";
import { type Runtime, RuntimeError } from "../contract.ts";
import type { ImageStore } from "../image-store.ts";
import { createLinuxHost, type LinuxHost } from "../linux/host.ts";
import { Launcher } from "../linux/launcher.ts";
import { readMounts } from "../linux/mountinfo.ts";
import { MountFlag } from "../linux/syscalls.ts";
import type { PodNetwork } from "../pod-network.ts";
import { createCgroupDriver } from "./cgroups/detect.ts";
import { OciRuntime } from "./engine.ts";
import { readHostFacts } from "./facts.ts";
import { findDefaultRuntime, findHandlers, lookUpProgram } from "./handlers.ts";
import { keepProcessAlive } from "./keep-alive.ts";
import { Layout } from "./layout.ts";
import { MountPointLayers } from "./mount-points.ts";
import { readBootId } from "./processes.ts";
import { RecordStore } from "./records.ts";
import { Semaphore } from "./semaphore.ts";

export interface OciRuntimeOptions {
  /** Persistent: records and writable layers. On a filesystem that overlayfs can write to (ext4, xfs, tmpfs…). */
  dir: string;
  /** Volatile and the engine's own: a tmpfs is mounted on it. */
  runDir: string;
  images: ImageStore;
  network: PodNetwork;
  clock: Clock;
  random: Random;
  log: Log;
  /** One name a cluster, `peapod-x`: below it are all cgroups that the engine makes. */
  cgroupRoot: string;
  /** How mounts and namespaces are made; found out when absent. */
  host?: LinuxHost;
  /** Looked for in the usual places when absent. */
  conmonPath?: string;
  /** crun where there is one, else runc. */
  runtimePath?: string;
}

/** Specifications, pid and exit files, namespaces' mount points: some kilobytes a container. */
const runDirBytes = "size=64m,mode=0711";

/** A start is the work of other processes; more of them at once only take each other's time. */
const startsPerCpu = 2;

/** Starts the engine on its directories, taking up whatever an earlier one left there. */
export async function createOciRuntime(options: OciRuntimeOptions): Promise<Runtime> {
  const release = keepProcessAlive();
  try {
    return await create(options);
  } finally {
    release();
  }
}

async function create(options: OciRuntimeOptions): Promise<Runtime> {
  const { clock, random, images, network, cgroupRoot } = options;
  const log = options.log.child({ room: "runtime" });
  const layout = new Layout(options.dir, options.runDir);
  const [host, facts, runtime] = await Promise.all([
    options.host ?? createLinuxHost(),
    readHostFacts(),
    findDefaultRuntime(options.runtimePath),
  ]);
  if (!host.syscalls)
    log.warn("koffi has no build for this machine: mounts and namespaces are made by child processes");
  const mountPoints = new MountPointLayers(layout.mountPoints);
  await Promise.all([prepareRunDir(host, layout), mountPoints.prepare()]);
  const deviceFilter = facts.capabilities.includes("CAP_SYS_RESOURCE");
  const handlers = await findHandlers(runtime, (kind) =>
    createCgroupDriver({
      ...{
        host,
        root: cgroupRoot,
        hierarchiesDir: layout.hierarchies,
        runtime: kind,
        deviceFilter,
        clock,
        log,
      },
    }),
  );
  const { cgroups } = handlers.get("")!;
  if (cgroups.version === "v2" && !deviceFilter) {
    log.warn("no CAP_SYS_RESOURCE: containers go without a device filter, and so without CAP_MKNOD");
    facts.capabilities = facts.capabilities.filter((name) => name !== "CAP_MKNOD");
  }
  const records = new RecordStore(layout, log);
  await records.load();
  const engine = new OciRuntime({
    ...{
      layout,
      mountPoints,
      records,
      host,
      cgroups,
      cgroupRoot,
      network,
      images,
      clock,
      random,
      log,
      facts,
      runtime,
      handlers,
    },
    version: runtime.version,
    launcher: new Launcher(),
    starting: new Semaphore(startsPerCpu * availableParallelism()),
    bootId: readBootId(),
    conmonPath: options.conmonPath ?? findProgram("conmon"),
  });
  await engine.start();
  return engine;
}

/** A tmpfs of the engine's own is a private mount: what is mounted below shows up nowhere else. */
async function prepareRunDir(host: LinuxHost, layout: Layout): Promise<void> {
  await mkdir(layout.runDir, { recursive: true, mode: 0o711 });
  if (!(await readMounts()).some((mount) => mount.target === layout.runDir)) {
    const flags = MountFlag.noSuid | MountFlag.noDev;
    await host.mount({ source: "peapod", target: layout.runDir, type: "tmpfs", flags, data: runDirBytes });
    await host.mount({ source: "none", target: layout.runDir, flags: MountFlag.private });
  }
  for (const folder of [
    layout.exits,
    layout.runtimeRoot,
    layout.sandboxRunDirs,
    layout.bundles,
    layout.allMapped,
    layout.consoles,
  ]) {
    await mkdir(folder, { recursive: true, mode: 0o711 });
  }
}

function findProgram(program: string): string {
  const path = lookUpProgram(program);
  if (!path)
    throw new RuntimeError("Unsupported", `${program} is not installed: on Debian, "apt install ${program}"`);
  return path;
}
