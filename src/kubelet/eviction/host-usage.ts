import { readFile, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import type { ContainerStatus, Runtime } from "../../runtime/index.ts";
import type { EvictionSignal } from "../config/thresholds.ts";
import { containerNameLabel, podUidLabel } from "../container/labels.ts";
import { readProcessesMax } from "../stats/host.ts";
import { folderOfPlugin } from "../volumes/plugin.ts";
import { emptyDirPluginName } from "../volumes/plugins/empty-dir.ts";
import { measureDisk } from "./disk-meter.ts";
import { hasStorageLimit } from "./local-storage.ts";
import type {
  ContainerUse,
  DiskLayout,
  DiskUse,
  Observation,
  Observations,
  PodUse,
  PodUses,
  UsageSource,
} from "./usage.ts";

export interface HostUsageOptions {
  /** Of the agent: pods' folders and logs. */
  dir: string;
  runtime: Runtime;
  clock: Clock;
  /** What all pods together may use, where that is limited. */
  podsMemoryBytes: number | undefined;
}

/** What the kernel says of this machine and its pods. */
export class HostUsage implements UsageSource {
  readonly #options: HostUsageOptions;

  constructor(options: HostUsageOptions) {
    this.#options = options;
  }

  async diskLayout(): Promise<DiskLayout> {
    const { dir, runtime } = this.#options;
    const { folder } = await runtime.images.fsUsage();
    if (folder === undefined) return { imageFs: "shared" };
    const [own, images] = await Promise.all([stat(dir), stat(folder)]);
    return { imageFs: own.dev === images.dev ? "shared" : "dedicated" };
  }

  async observations(): Promise<Observations> {
    const { clock, dir, runtime } = this.#options;
    const atMs = clock.monotonicMs();
    const { folder = dir } = await runtime.images.fsUsage();
    const [memory, processes, own, images] = await Promise.all([
      readMemory(),
      readProcesses(),
      readDisk(dir),
      readDisk(folder),
    ]);
    const { imageFs } = await this.diskLayout();
    const containers = imageFs === "dedicated" ? images : own;
    const found: [EvictionSignal, Omit<Observation, "atMs"> | undefined][] = [
      ["memory.available", memory],
      ["allocatableMemory.available", await this.#allocatableMemory()],
      ["pid.available", processes],
      ["nodefs.available", own.bytes],
      ["nodefs.inodesFree", own.inodes],
      ["imagefs.available", images.bytes],
      ["imagefs.inodesFree", images.inodes],
      ["containerfs.available", containers.bytes],
      ["containerfs.inodesFree", containers.inodes],
    ];
    return new Map(
      found.flatMap(([signal, observation]) =>
        observation ? [[signal, { ...observation, atMs }] as const] : [],
      ),
    );
  }

  /** As upstream's: of the limit of all pods, what is not in use. */
  async #allocatableMemory(): Promise<Omit<Observation, "atMs"> | undefined> {
    const { podsMemoryBytes: capacity, runtime } = this.#options;
    const usage = await runtime.sharedCgroups?.usage("kubepods");
    if (!usage || capacity === undefined) return undefined;
    return { available: Math.max(capacity - usage.memoryWorkingSetBytes, 0), capacity };
  }

  async podUses(
    pods: readonly corev1.Pod[],
    what: { memory: boolean; disk: "none" | "limited" | "all" },
  ): Promise<PodUses> {
    const measured = what.disk === "all" ? pods : what.disk === "limited" ? pods.filter(hasStorageLimit) : [];
    const isMeasured = new Set(measured.map(({ metadata }) => metadata.uid!));
    const containers = groupByPod(await this.#options.runtime.listContainers());
    const volumes = new Map(measured.map((pod) => [pod.metadata.uid!, this.#volumeFolders(pod)]));
    const logs = new Map(
      [...containers.values()].flat().map((container) => [container.id, dirname(container.logPath)]),
    );
    const ofMeasured = [...isMeasured].flatMap((uid) => containers.get(uid) ?? []);
    const files = await measureDisk([
      ...[...volumes.values()].flatMap((folders) => [...folders.values()]),
      ...new Set(ofMeasured.map(({ id }) => logs.get(id)!)),
    ]);
    const uses = await Promise.all(
      pods.map(async ({ metadata }): Promise<[string, PodUse]> => {
        const uid = metadata.uid!;
        const own = containers.get(uid) ?? [];
        const folders = volumes.get(uid) ?? new Map<string, string>();
        return [
          uid,
          {
            ...(what.memory && (await this.#processUse(own))),
            containers: await this.#containerUses(own, {
              memory: what.memory,
              logsOf: isMeasured.has(uid) ? ({ id }) => files.get(logs.get(id)!) : undefined,
            }),
            volumes: new Map(
              [...folders].flatMap(([name, folder]) => {
                const use = files.get(folder);
                return use ? [[name, use]] : [];
              }),
            ),
          },
        ];
      }),
    );
    return new Map(uses);
  }

  /** Of the pod as a whole. */
  async #processUse(
    containers: readonly ContainerStatus[],
  ): Promise<Pick<PodUse, "memoryBytes" | "processes">> {
    const sandboxIds = [...new Set(containers.map(({ sandboxId }) => sandboxId))];
    const stats = await Promise.all(sandboxIds.map((id) => this.#options.runtime.podSandboxStats(id)));
    const live = stats.find((each) => each !== undefined);
    return live ? { memoryBytes: live.memoryWorkingSetBytes, processes: live.processCount } : {};
  }

  async #containerUses(
    containers: readonly ContainerStatus[],
    given: { memory: boolean; logsOf: ((container: ContainerStatus) => DiskUse | undefined) | undefined },
  ): Promise<ReadonlyMap<string, ContainerUse>> {
    const { runtime } = this.#options;
    const uses = new Map<string, ContainerUse>();
    for (const container of containers) {
      const name = container.labels[containerNameLabel] ?? container.metadata.name;
      const stats = given.memory ? await runtime.containerStats(container.id) : undefined;
      const root = given.logsOf ? await runtime.containerDiskUsage(container.id) : undefined;
      const logs = given.logsOf?.(container);
      const before = uses.get(name);
      uses.set(name, {
        ...before,
        ...(stats && { memoryBytes: stats.memoryWorkingSetBytes }),
        // What ended attempts have written stays until they are removed.
        ...(root && { root: sum(before?.root, { bytes: root.usedBytes, inodes: root.inodesUsed ?? 0 }) }),
        ...(logs && { logs }),
      });
    }
    return uses;
  }

  /** Of the volumes that take the node's own disk. */
  #volumeFolders({ metadata, spec }: corev1.Pod): ReadonlyMap<string, string> {
    const folder = join(
      this.#options.dir,
      "pods",
      metadata.uid!,
      "volumes",
      folderOfPlugin(emptyDirPluginName),
    );
    const onDisk = (spec!.volumes ?? []).filter(({ emptyDir }) => emptyDir && !emptyDir.medium);
    return new Map(onDisk.map(({ name }) => [name, join(folder, name)]));
  }
}

function sum(a: DiskUse | undefined, b: DiskUse): DiskUse {
  return { bytes: (a?.bytes ?? 0) + b.bytes, inodes: (a?.inodes ?? 0) + b.inodes };
}

function groupByPod(containers: readonly ContainerStatus[]): ReadonlyMap<string, ContainerStatus[]> {
  const pods = new Map<string, ContainerStatus[]>();
  for (const container of containers) {
    const uid = container.labels[podUidLabel];
    if (uid === undefined) continue;
    const own = pods.get(uid) ?? [];
    own.push(container);
    pods.set(uid, own);
  }
  return pods;
}

/** All but what the kernel could take back at once, as upstream counts on cgroup v2: free, and files not in use. */
async function readMemory(): Promise<Omit<Observation, "atMs"> | undefined> {
  const meminfo = await readFile("/proc/meminfo", "utf8");
  const of = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(meminfo)?.[1] ?? 0) * 1_024;
  const capacity = of("MemTotal");
  if (capacity === 0) return undefined;
  return { available: of("MemFree") + of("Inactive\\(file\\)"), capacity };
}

async function readProcesses(): Promise<Omit<Observation, "atMs"> | undefined> {
  const [capacity, loadavg] = await Promise.all([
    readProcessesMax(),
    readFile("/proc/loadavg", "utf8").catch(() => ""),
  ]);
  const running = Number(/\/(\d+) /.exec(loadavg)?.[1]);
  if (!Number.isFinite(capacity) || !Number.isFinite(running)) return undefined;
  return { available: capacity - running, capacity };
}

async function readDisk(folder: string) {
  const { bavail, blocks, bsize, ffree, files } = await statfs(folder);
  return {
    bytes: { available: bavail * bsize, capacity: blocks * bsize },
    // Some file systems have no bound on them.
    inodes: files > 0 ? { available: ffree, capacity: files } : undefined,
  };
}
