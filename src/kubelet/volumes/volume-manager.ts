import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { claimOfVolume, claimsOfPod, type corev1, volumeSourceName } from "../../api/index.ts";
import type { Clock, Log, Timer } from "../../base/index.ts";
import type { Transport } from "../../client/index.ts";
import { RuntimeError } from "../../runtime/index.ts";
import { type EventSink, podTarget } from "../events.ts";
import type { ObjectCache } from "../references/object-cache.ts";
import { PodRejection } from "../worker/pod-rejection.ts";
import type { MountedVolume, MountedVolumes, PodVolumes, VolumeUsage } from "../worker/services.ts";
import { messageOf } from "../worker/start-error.ts";
import { claimedVolume } from "./claimed-volume.ts";
import type { Mounter } from "./mounter.ts";
import {
  folderOfPlugin,
  isBlock,
  type VolumePlace,
  type VolumePlugin,
  type VolumeSpec,
  WaitsForOthers,
} from "./plugin.ts";
import type { TokenManager } from "./token-manager.ts";
import { usedVolumes } from "./used-volumes.ts";
import { usageOf } from "./volume-usage.ts";

export interface VolumeManagerOptions {
  /** `…/pods`: a folder a pod, by uid. */
  podsDir: string;
  /** A tmpfs (where the host allows): what must not reach a disk. */
  memoryDir: string;
  clock: Clock;
  log: Log;
  events: EventSink;
  objects: ObjectCache;
  tokens: TokenManager;
  mounter: Mounter;
  transport: Transport;
  plugins: readonly VolumePlugin[];
}

/** As upstream's podAttachAndMountTimeout: how long a pod waits before its node is taken to be full. */
const attachAndMountMsMax = 123_000;

/** A refresh that failed is tried again after this. */
const refreshRetryMs = 10_000;

interface PodState {
  pod: corev1.Pod;
  /** What its volumes are, as far as that is known. */
  specs: readonly VolumeSpec[];
  mounted: Map<string, MountedVolume>;
  stopListening: () => void;
  renewal: Timer | undefined;
  /** A refresh that runs, and whether another must follow. */
  refreshing: Promise<void> | undefined;
  isStale: boolean;
  isMounted: boolean;
  firstTriedAtMs: number;
  onRetry: () => void;
}

/**
 * The volumes of this node's pods. What is on the disk is the state: setting up is idempotent, so after a restart of
 * the agent it is simply done again. Volumes made from objects follow their objects while the pod is here.
 */
export class VolumeManager implements PodVolumes {
  readonly #options: VolumeManagerOptions;
  readonly #pods = new Map<string, PodState>();
  /** What is brought up to date is not of a pod that ends. */
  readonly #refreshes = new AbortController();

  readonly #stops: (() => void)[] = [];
  /** Pods whose volumes are being taken down, or could not be. */
  readonly #leaving = new Map<string, () => void>();

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
    for (const plugin of options.plugins) {
      const stop = plugin.onAvailable?.(() => this.#retry(plugin));
      if (stop) this.#stops.push(stop);
    }
  }

  async mount(pod: corev1.Pod, signal: AbortSignal, onRetry: () => void): Promise<MountedVolumes> {
    const state = this.#stateOf(pod, onRetry);
    const { specs, unknown } = await this.#specsOf(pod);
    state.specs = specs;
    const results = await Promise.allSettled(specs.map((spec) => this.#setUp(pod, spec, signal)));
    const failures = [...unknown.keys()];
    const failed: VolumeSpec[] = [];
    for (const [i, result] of results.entries()) {
      const spec = specs[i]!;
      if (result.status === "fulfilled") state.mounted.set(spec.volume.name, result.value);
      else {
        failures.push(spec.volume.name);
        failed.push(spec);
        const isExpected = signal.aborted || result.reason instanceof WaitsForOthers;
        if (!isExpected) this.#tellFailure(pod, spec, result.reason);
      }
    }
    const unmounted = `unmounted volumes=[${failures.join(" ")}]`;
    if (unknown.size > 0) {
      const why = [...new Set(unknown.values())].join("; ");
      const message = `Unable to attach or mount volumes: ${unmounted}, unattached volumes=[], failed to process volumes=[${[...unknown.keys()].join(" ")}]: ${why}`;
      if (!signal.aborted) this.#options.events.event(podTarget(pod), "Warning", "FailedMount", message);
    }
    if (state.firstTriedAtMs + attachAndMountMsMax <= this.#options.clock.now()) {
      const unattached = await this.#unattachable(failed);
      if (unattached.length > 0) {
        const message = `Node has reached its volume attachment limit, rejecting pod. ${unmounted}, unattached volumes=[${unattached.join(" ")}], failed to process volumes=[${[...unknown.keys()].join(" ")}]: context deadline exceeded`;
        throw new PodRejection("VolumeAttachmentLimitExceeded", message);
      }
    }
    if (failures.length > 0) throw new Error(unmounted);
    state.isMounted = true;
    void this.#scheduleRenewal(state);
    return state.mounted;
  }

  /** The names of those that the node is too full for. */
  async #unattachable(specs: readonly VolumeSpec[]): Promise<string[]> {
    const areFull = await Promise.all(specs.map((spec) => this.#pluginFor(spec)?.isNodeFull?.(spec)));
    return specs.filter((_, i) => areFull[i]).map(({ volume }) => volume.name);
  }

  podChanged(pod: corev1.Pod): void {
    const state = this.#pods.get(pod.metadata.uid!);
    if (!state) return;
    const before = state.pod.metadata;
    state.pod = pod;
    const after = pod.metadata;
    if (before.labels === after.labels && before.annotations === after.annotations) return;
    const showsPod = (pod.spec!.volumes ?? []).some(
      ({ downwardAPI, projected }) => downwardAPI || projected?.sources?.some((source) => source.downwardAPI),
    );
    const isSame =
      JSON.stringify([before.labels, before.annotations]) ===
      JSON.stringify([after.labels, after.annotations]);
    if (showsPod && !isSame) this.#refresh(state);
  }

  async unmount(podUid: string, onRetry: () => void): Promise<void> {
    this.#leaving.set(podUid, onRetry);
    await this.#takeDown(podUid);
    this.#leaving.delete(podUid);
    for (const plugin of this.#options.plugins) plugin.podLeft?.(podUid);
  }

  async #takeDown(podUid: string): Promise<void> {
    const { memoryDir, objects, podsDir, tokens } = this.#options;
    const state = this.#pods.get(podUid);
    this.#pods.delete(podUid);
    state?.renewal?.cancel();
    state?.stopListening();
    await state?.refreshing;
    objects.release(podUid);
    tokens.forget(podUid);
    const podDir = join(podsDir, podUid);
    const mayHaveMounts = this.#mayHaveMounts(state, podDir);
    // Parts of volumes before the volumes they are of.
    if (mayHaveMounts) await this.#unmountBelow(join(podDir, "volume-subpaths"));
    await this.#tearDownAll(podUid);
    // Mounts first: removing a folder must never reach into what is mounted there.
    if (mayHaveMounts) await this.#unmountBelow(podDir);
    await Promise.all([
      rm(join(memoryDir, podUid), { recursive: true, force: true }),
      rm(join(podDir, "volumes"), { recursive: true, force: true }),
      rm(join(podDir, "volumeDevices"), { recursive: true, force: true }),
      rm(join(podDir, "volume-subpaths"), { recursive: true, force: true }),
    ]);
  }

  async usage(podUid: string): Promise<VolumeUsage[]> {
    const { mounted, specs = [] } = this.#pods.get(podUid) ?? {};
    const asked = specs
      .filter(({ persistentVolume, volume }) => persistentVolume ?? volume.csi)
      .map((spec) => usageOf(spec, podUid, mounted!.get(spec.volume.name), this.#pluginFor(spec)));
    const told = await Promise.allSettled(asked);
    return told.flatMap((result) => (result.status === "fulfilled" && result.value ? [result.value] : []));
  }

  arePresent(podUid: string): boolean {
    const { memoryDir, podsDir } = this.#options;
    return (
      existsSync(join(podsDir, podUid, "volumes")) ||
      existsSync(join(podsDir, podUid, "volumeDevices")) ||
      existsSync(join(podsDir, podUid, "volume-subpaths")) ||
      existsSync(join(memoryDir, podUid))
    );
  }

  close(): void {
    this.#refreshes.abort(new Error("the agent is stopping"));
    for (const stop of this.#stops) stop();
    for (const state of this.#pods.values()) {
      state.renewal?.cancel();
      state.stopListening();
    }
    this.#pods.clear();
    this.#leaving.clear();
  }

  #retry(plugin: VolumePlugin): void {
    for (const onRetry of [...this.#leaving.values()]) onRetry();
    for (const { isMounted, onRetry, specs } of this.#pods.values())
      if (!isMounted && specs.some((spec) => plugin.canHandle(spec))) onRetry();
  }

  async #unmountBelow(folder: string): Promise<void> {
    const { mounter } = this.#options;
    for (const path of await mounter.mountsBelow(folder)) await mounter.unmount(path);
    const left = await mounter.mountsBelow(folder);
    if (left.length > 0) throw new Error(`still mounted: ${left.join(", ")}`);
  }

  #mayHaveMounts(state: PodState | undefined, podDir: string): boolean {
    if (!state) return true;
    // What is behind a claim may be unknown now, and mounted by an earlier agent.
    if (claimsOfPod(state.pod).length > 0) return true;
    const hasMount = state.specs.some((spec) => this.#pluginFor(spec)?.mayMount(spec));
    return hasMount || existsSync(join(podDir, "volume-subpaths"));
  }

  #stateOf(pod: corev1.Pod, onRetry: () => void): PodState {
    const uid = pod.metadata.uid!;
    let state = this.#pods.get(uid);
    if (!state) {
      const made: PodState = {
        pod,
        specs: [],
        mounted: new Map(),
        stopListening: () => {},
        renewal: undefined,
        refreshing: undefined,
        isStale: false,
        isMounted: false,
        firstTriedAtMs: this.#options.clock.now(),
        onRetry,
      };
      made.stopListening = this.#options.objects.onChange(uid, () => {
        if (made.isMounted) this.#refresh(made);
        else made.onRetry();
      });
      this.#pods.set(uid, made);
      state = made;
    }
    state.pod = pod;
    state.onRetry = onRetry;
    return state;
  }

  /** Each volume with what stands behind it; and why that is not known of some, by the volume's name. */
  async #specsOf(pod: corev1.Pod): Promise<{ specs: VolumeSpec[]; unknown: Map<string, string> }> {
    // One that no container uses holds nothing up.
    const used = usedVolumes(pod);
    const volumes = (pod.spec!.volumes ?? []).filter(({ name }) => used.has(name));
    const found = await Promise.allSettled(volumes.map((volume) => this.#specOf(pod, volume)));
    const specs = found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const unknown = new Map<string, string>();
    for (const [i, result] of found.entries())
      if (result.status === "rejected") unknown.set(volumes[i]!.name, messageOf(result.reason));
    return { specs, unknown };
  }

  async #specOf(pod: corev1.Pod, volume: corev1.Volume): Promise<VolumeSpec> {
    const claim = claimOfVolume(pod, volume);
    if (!claim) return { name: volume.name, volume, readOnly: false };
    const persistentVolume = await claimedVolume(this.#options.transport, pod, claim, (name) =>
      this.#isPresent(pod.metadata.uid!, name),
    );
    const readOnly = volume.persistentVolumeClaim?.readOnly ?? false;
    return { name: persistentVolume.metadata.name!, volume, persistentVolume, readOnly };
  }

  async #setUp(pod: corev1.Pod, spec: VolumeSpec, signal: AbortSignal): Promise<MountedVolume> {
    const plugin = this.#pluginFor(spec);
    if (!plugin) {
      const { persistentVolume, volume } = spec;
      const kind = persistentVolume
        ? volumeSourceName(persistentVolume.spec!)
        : Object.keys(volume).find((key) => key !== "name");
      throw new RuntimeError("Unsupported", `volume type ${kind ?? "unknown"} is not supported on this node`);
    }
    const uid = pod.metadata.uid!;
    if (isForOnePod(spec) && (await this.#isElsewhere(spec, plugin, uid)))
      throw new Error("volume uses the ReadWriteOncePod access mode and is already in use by another pod");
    const kind = isBlock(spec) ? "volumeDevices" : "volumes";
    const context = {
      pod,
      folder: join(this.#options.podsDir, uid, kind, folderOfPlugin(plugin.name), spec.name),
      fsGroup: pod.spec!.securityContext?.fsGroup,
      signal,
    };
    if (!isBlock(spec)) return withGroup(await plugin.setUp(spec, context), spec);
    if (!plugin.map) throw new RuntimeError("Unsupported", `volume type ${plugin.name} has no block devices`);
    return withGroup(await plugin.map(spec, context), spec);
  }

  #isPresent(podUid: string, volumeName: string, plugins = this.#options.plugins): boolean {
    const podDir = join(this.#options.podsDir, podUid);
    return plugins.some(({ name }) =>
      ["volumes", "volumeDevices"].some((kind) =>
        existsSync(join(podDir, kind, folderOfPlugin(name), volumeName)),
      ),
    );
  }

  /** Whether another pod of this node has the volume: as this agent knows, or by what is on the disk. */
  async #isElsewhere({ name }: VolumeSpec, plugin: VolumePlugin, podUid: string): Promise<boolean> {
    for (const [uid, { mounted, specs }] of this.#pods) {
      const its = specs.find((spec) => spec.persistentVolume && spec.name === name);
      if (uid !== podUid && its && mounted.has(its.volume.name)) return true;
    }
    const uids = await readdir(this.#options.podsDir);
    return uids.some((uid) => uid !== podUid && this.#isPresent(uid, name, [plugin]));
  }

  #tellFailure(pod: corev1.Pod, spec: VolumeSpec, error: unknown): void {
    const [reason, what] = isBlock(spec)
      ? ["FailedMapVolume", "MapVolume.SetUpDevice"]
      : ["FailedMount", "MountVolume.SetUp"];
    const message = `${what} failed for volume "${spec.name}" : ${messageOf(error)}`;
    this.#options.events.event(podTarget(pod), "Warning", reason, message);
  }

  #pluginFor(spec: VolumeSpec): VolumePlugin | undefined {
    return this.#options.plugins.find((plugin) => plugin.canHandle(spec));
  }

  /** By what is on the disk: the agent that set them up may have been another. */
  async #tearDownAll(podUid: string): Promise<void> {
    const podDir = join(this.#options.podsDir, podUid);
    const down: (Promise<void> | undefined)[] = [];
    for (const plugin of this.#options.plugins) {
      for (const place of await placesIn(join(podDir, "volumes"), plugin, podUid))
        down.push(plugin.tearDown?.(place));
      for (const place of await placesIn(join(podDir, "volumeDevices"), plugin, podUid))
        down.push(plugin.unmap?.(place));
    }
    // One that cannot be taken down now does not hold up the others.
    for (const result of await Promise.allSettled(down))
      if (result.status === "rejected") throw result.reason;
  }

  /** Brings what is made from objects up to date; one at a time, and none is skipped. */
  #refresh(state: PodState): void {
    state.isStale = true;
    if (state.refreshing) return;
    state.refreshing = this.#refreshAll(state).finally(() => {
      state.refreshing = undefined;
    });
  }

  async #refreshAll(state: PodState): Promise<void> {
    while (state.isStale && this.#pods.get(state.pod.metadata.uid!) === state) {
      state.isStale = false;
      const results = await Promise.allSettled(
        state.specs
          .filter((spec) => this.#pluginFor(spec)?.followsObjects)
          .map((spec) => this.#setUp(state.pod, spec, this.#refreshes.signal)),
      );
      const failed = results.find((result) => result.status === "rejected");
      if (failed) {
        this.#options.log.info(
          { pod: state.pod.metadata.name, error: messageOf(failed.reason) },
          "a volume could not be brought up to date",
        );
        state.renewal?.cancel();
        state.renewal = this.#options.clock.after(refreshRetryMs, () => this.#refresh(state));
      } else void this.#scheduleRenewal(state);
    }
  }

  async #scheduleRenewal(state: PodState): Promise<void> {
    const { clock, tokens } = this.#options;
    const dueMs = await tokens.renewAtMs(state.pod.metadata.uid!).catch(() => undefined);
    if (dueMs === undefined || this.#pods.get(state.pod.metadata.uid!) !== state) return;
    state.renewal?.cancel();
    state.renewal = clock.after(Math.max(dueMs - clock.now(), 1_000), () => this.#refresh(state));
  }
}

async function placesIn(dir: string, plugin: VolumePlugin, podUid: string): Promise<VolumePlace[]> {
  const folder = join(dir, folderOfPlugin(plugin.name));
  const names = await readdir(folder).catch(() => []);
  return names.map((name) => ({ podUid, name, folder: join(folder, name) }));
}

/** Only if it is the one mode it has. */
const isForOnePod = ({ persistentVolume }: VolumeSpec) => {
  const modes = persistentVolume?.spec?.accessModes ?? [];
  return modes.length === 1 && modes[0] === "ReadWriteOncePod";
};

/** The group that may use a volume, whoever its pod's users are. */
const gidAnnotation = "pv.beta.kubernetes.io/gid";

function withGroup(mounted: MountedVolume, { persistentVolume }: VolumeSpec): MountedVolume {
  const gid = Number(persistentVolume?.metadata.annotations?.[gidAnnotation]);
  return Number.isInteger(gid) && gid > 0 ? { ...mounted, gid } : mounted;
}
