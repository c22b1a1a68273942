import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { parseTime } from "../../machinery/index.ts";
import type { DiskUsage, Runtime, UsageDetail } from "../../runtime/index.ts";
import { measureDisk } from "../eviction/disk-meter.ts";
import { containerSpecOf } from "../plan/kill.ts";
import type { ObservedContainer } from "../plan/observation.ts";
import type { VolumeUsage } from "../worker/services.ts";
import { readFs, readHost, readSelf } from "./host.ts";
import { areEnough, type Readings, readingsOf, withRates } from "./rates.ts";
import type { ContainerSample, DiskSample, NodeSample, PodSample } from "./sample.ts";

/** Who asks again within this gets what the one before got. */
const keptMs = 2_000;
/** What takes a walk through files is kept longer; as kubelet's `volumeStatsAggPeriod`. */
const disksKeptMs = 60_000;
/** Between the two looks that a rate is made from, where nobody looked lately. */
const rateWindowMs = 1_000;

/** A pod as its worker knows it. */
export interface MeasuredPod {
  pod: corev1.Pod;
  status: corev1.PodStatus;
  sandboxId: string | undefined;
  containers: readonly ObservedContainer[];
}

export interface SamplerOptions {
  /** Of the agent: pods' folders and logs. */
  dir: string;
  runtime: Runtime;
  clock: Clock;
  pods(): readonly MeasuredPod[];
  /** Of the pod's volumes that are not on the node's own disk. */
  volumes(podUid: string): Promise<readonly VolumeUsage[]>;
}

/**
 * What is used on this node. Nothing is measured while nobody asks, and those who ask at once share one look.
 */
export class Sampler {
  readonly #options: SamplerOptions;
  #detailed: { atMs: number; sample: Promise<NodeSample> } | undefined;
  #usage: { atMs: number; sample: Promise<NodeSample> } | undefined;
  #rated: { atMs: number; sample: Promise<NodeSample> } | undefined;
  #disks: { atMs: number; sample: Promise<DiskSample> } | undefined;
  #readings: Readings = new Map();

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** All that can be told of each container. */
  detailed(): Promise<NodeSample> {
    const atMs = this.#options.clock.monotonicMs();
    if (!this.#detailed || atMs - this.#detailed.atMs > keptMs)
      this.#detailed = { atMs, sample: this.#look("all") };
    return this.#detailed.sample;
  }

  /** Counts and sizes. */
  usage(): Promise<NodeSample> {
    const atMs = this.#options.clock.monotonicMs();
    if (!this.#usage || atMs - this.#usage.atMs > keptMs) this.#usage = { atMs, sample: this.#look("usage") };
    return this.#usage.sample;
  }

  /** The same with what is used in a second; it may have to wait for one. */
  rated(): Promise<NodeSample> {
    const atMs = this.#options.clock.monotonicMs();
    if (!this.#rated || atMs - this.#rated.atMs > keptMs) this.#rated = { atMs, sample: this.#rate() };
    return this.#rated.sample;
  }

  disks(): Promise<DiskSample> {
    const atMs = this.#options.clock.monotonicMs();
    if (!this.#disks || atMs - this.#disks.atMs > disksKeptMs)
      this.#disks = { atMs, sample: this.#measureDisks() };
    return this.#disks.sample;
  }

  async #rate(): Promise<NodeSample> {
    const first = await this.#look("pressure");
    const before = this.#readings;
    this.#readings = readingsOf(first);
    if (areEnough(first, before)) return withRates(first, before);
    await this.#options.clock.sleep(rateWindowMs);
    const second = await this.#look("pressure");
    const rated = withRates(second, this.#readings);
    this.#readings = readingsOf(second);
    return rated;
  }

  async #look(detail: UsageDetail): Promise<NodeSample> {
    const { clock, pods } = this.#options;
    const [node, kubelet] = await Promise.all([readHost(clock.now()), readSelf(clock.now())]);
    const samples: PodSample[] = [];
    for (const pod of pods()) {
      // A pod that has ended uses nothing.
      if (pod.sandboxId === undefined) continue;
      samples.push(await this.#lookAt(pod, detail));
      // A node full of pods takes many turns, not one long one.
      await setImmediate();
    }
    return { atMs: clock.now(), node, kubelet, pods: samples };
  }

  async #lookAt(
    { pod, status, sandboxId, containers }: MeasuredPod,
    detail: UsageDetail,
  ): Promise<PodSample> {
    const { runtime } = this.#options;
    const running = containers.filter(({ state }) => state === "running");
    const [whole, each] = await Promise.all([
      runtime.podSandboxStats(sandboxId!, detail).catch(() => undefined),
      Promise.all(running.map((container) => this.#lookInto(pod, container, detail))),
    ]);
    return {
      pod: { ...pod, status },
      startedAtMs: (status.startTime && parseTime(status.startTime)) || 0,
      ...(whole && { usage: whole, ...(whole.interfaces && { interfaces: whole.interfaces }) }),
      containers: each.filter((container) => container !== undefined),
    };
  }

  async #lookInto(
    pod: corev1.Pod,
    { id, name, imageName, startedAtMs, createdAtMs, logPath }: ObservedContainer,
    detail: UsageDetail,
  ): Promise<ContainerSample | undefined> {
    // It may end while it is looked at.
    const usage = await this.#options.runtime.containerStats(id, detail).catch(() => undefined);
    const spec = containerSpecOf(pod, name);
    if (!usage || !spec) return undefined;
    return { id, name, image: imageName, spec, startedAtMs: startedAtMs ?? createdAtMs, logPath, usage };
  }

  async #measureDisks(): Promise<DiskSample> {
    const { clock, dir, pods, runtime } = this.#options;
    const containers = pods().flatMap((pod) => pod.containers.filter(({ state }) => state === "running"));
    const volumes = pods().map(({ pod }) => [pod.metadata.uid!, volumeFolders(dir, pod)] as const);
    const logFolder = ({ logPath }: ObservedContainer) => dirname(logPath);
    const [nodeFs, images, measured] = await Promise.all([
      readFs(dir),
      runtime.images.fsUsage(),
      measureDisk([
        ...new Set(containers.map(logFolder)),
        ...volumes.flatMap(([, folders]) => [...folders.values()]),
      ]),
    ]);
    const useOf = (folder: string): DiskUsage | undefined => {
      const use = measured.get(folder);
      return use && { usedBytes: use.bytes, inodesUsed: use.inodes };
    };
    const roots = new Map<string, DiskUsage>();
    for (const { id } of containers) {
      const use = await runtime.containerDiskUsage(id).catch(() => undefined);
      if (use) roots.set(id, use);
    }
    const mounted = pods().map(async ({ pod }) => {
      const uid = pod.metadata.uid!;
      return [uid, await this.#options.volumes(uid)] as const;
    });
    return {
      atMs: clock.now(),
      mounted: new Map(await Promise.all(mounted)),
      nodeFs,
      imageFs: { ...(images.folder ? await readFs(images.folder) : nodeFs), usedBytes: images.usedBytes },
      roots,
      logs: present(containers.map((container) => [container.id, useOf(logFolder(container))])),
      volumes: new Map(
        volumes.map(([uid, folders]) => [
          uid,
          present([...folders].map(([name, path]) => [name, useOf(path)])),
        ]),
      ),
    };
  }
}

const present = (entries: [string, DiskUsage | undefined][]): Map<string, DiskUsage> =>
  new Map(entries.filter((entry): entry is [string, DiskUsage] => entry[1] !== undefined));

/** Of the volumes that the agent makes on the node's own disk; what is in memory is no disk. */
function volumeFolders(dir: string, { metadata, spec }: corev1.Pod): ReadonlyMap<string, string> {
  const plugins: Record<string, string> = {
    emptyDir: "kubernetes.io~empty-dir",
    configMap: "kubernetes.io~configmap",
  };
  const volumes = (spec!.volumes ?? []).flatMap((volume) => {
    const kind = Object.keys(plugins).find((name) => name in volume);
    if (!kind || volume.emptyDir?.medium) return [];
    return [[volume.name, join(dir, "pods", metadata.uid!, "volumes", plugins[kind]!, volume.name)] as const];
  });
  return new Map(volumes);
}
