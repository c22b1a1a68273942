import { existsSync } from "node:fs";
import { chmod, chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Clock, Log, Timer } from "../../base/index.ts";
import { type Runtime, RuntimeError } from "../../runtime/index.ts";
import type { NodeFacts } from "../container/field-ref.ts";
import { wholeOf } from "../container/quantities.ts";
import { type EventSink, podTarget } from "../events.ts";
import type { ObjectCache } from "../references/object-cache.ts";
import type { MountedVolume, MountedVolumes, PodImages, PodVolumes } from "../worker/services.ts";
import { messageOf } from "../worker/start-error.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { prepareHostPath } from "./host-path.ts";
import type { Mounter } from "./mounter.ts";
import { payloadOf } from "./payload.ts";
import type { TokenManager } from "./token-manager.ts";

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
  runtime: Runtime;
  images: PodImages;
  node(): NodeFacts;
}

/** A refresh that failed is tried again after this. */
const refreshRetryMs = 10_000;

interface PodState {
  pod: corev1.Pod;
  mounted: Map<string, MountedVolume>;
  stopListening: () => void;
  renewal: Timer | undefined;
  /** A refresh that runs, and whether another must follow. */
  refreshing: Promise<void> | undefined;
  isStale: boolean;
  isMounted: boolean;
  onRetry: () => void;
}

/**
 * The volumes of this node's pods. What is on the disk is the state: setting up is idempotent, so after a restart of
 * the agent it is simply done again. Volumes made from objects follow their objects while the pod is here.
 */
export class VolumeManager implements PodVolumes {
  readonly #options: VolumeManagerOptions;
  readonly #pods = new Map<string, PodState>();

  constructor(options: VolumeManagerOptions) {
    this.#options = options;
  }

  async mount(pod: corev1.Pod, signal: AbortSignal, onRetry: () => void): Promise<MountedVolumes> {
    const state = this.#stateOf(pod, onRetry);
    const volumes = pod.spec!.volumes ?? [];
    const results = await Promise.allSettled(volumes.map((volume) => this.#setUp(pod, volume, signal)));
    const failures: string[] = [];
    for (const [i, result] of results.entries()) {
      const { name } = volumes[i]!;
      if (result.status === "fulfilled") state.mounted.set(name, result.value);
      else {
        failures.push(name);
        if (signal.aborted) continue;
        const message = `MountVolume.SetUp failed for volume "${name}" : ${messageOf(result.reason)}`;
        this.#options.events.event(podTarget(pod), "Warning", "FailedMount", message);
      }
    }
    if (failures.length > 0) throw new Error(`unmounted volumes=[${failures.join(" ")}]`);
    state.isMounted = true;
    void this.#scheduleRenewal(state);
    return state.mounted;
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

  async unmount(podUid: string): Promise<void> {
    const { memoryDir, mounter, objects, podsDir, tokens } = this.#options;
    const state = this.#pods.get(podUid);
    this.#pods.delete(podUid);
    state?.renewal?.cancel();
    state?.stopListening();
    await state?.refreshing;
    objects.release(podUid);
    tokens.forget(podUid);
    const podDir = join(podsDir, podUid);
    // Mounts first: removing a folder must never reach into what is mounted there.
    if (this.#mayHaveMounts(state, podDir)) {
      for (const path of await mounter.mountsBelow(podDir)) await mounter.unmount(path);
      const left = await mounter.mountsBelow(podDir);
      if (left.length > 0) throw new Error(`still mounted: ${left.join(", ")}`);
    }
    await Promise.all([
      rm(join(memoryDir, podUid), { recursive: true, force: true }),
      rm(join(podDir, "volumes"), { recursive: true, force: true }),
      rm(join(podDir, "volume-subpaths"), { recursive: true, force: true }),
    ]);
  }

  arePresent(podUid: string): boolean {
    const { memoryDir, podsDir } = this.#options;
    return (
      existsSync(join(podsDir, podUid, "volumes")) ||
      existsSync(join(podsDir, podUid, "volume-subpaths")) ||
      existsSync(join(memoryDir, podUid))
    );
  }

  close(): void {
    for (const state of this.#pods.values()) {
      state.renewal?.cancel();
      state.stopListening();
    }
    this.#pods.clear();
  }

  #mayHaveMounts(state: PodState | undefined, podDir: string): boolean {
    if (!state) return true;
    const isMemory = (state.pod.spec!.volumes ?? []).some(({ emptyDir }) => emptyDir?.medium === "Memory");
    return isMemory || existsSync(join(podDir, "volume-subpaths"));
  }

  #stateOf(pod: corev1.Pod, onRetry: () => void): PodState {
    const uid = pod.metadata.uid!;
    let state = this.#pods.get(uid);
    if (!state) {
      const made: PodState = {
        pod,
        mounted: new Map(),
        stopListening: () => {},
        renewal: undefined,
        refreshing: undefined,
        isStale: false,
        isMounted: false,
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

  async #setUp(pod: corev1.Pod, volume: corev1.Volume, signal: AbortSignal): Promise<MountedVolume> {
    if (volume.emptyDir) return this.#emptyDir(pod, volume.name, volume.emptyDir);
    if (volume.hostPath) {
      await prepareHostPath(volume.hostPath);
      return { hostPath: volume.hostPath.path, readOnly: false };
    }
    if (volume.image) {
      const container = {
        name: "",
        image: volume.image.reference,
        imagePullPolicy: volume.image.pullPolicy,
      } as corev1.Container;
      const image = await this.#options.images.ensure(pod, container, signal);
      return { hostPath: "", readOnly: true, imageId: image.id };
    }
    const folder = await this.#write(pod, volume);
    if (folder) return { hostPath: folder, readOnly: true };
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
    throw new RuntimeError("Unsupported", `volume type ${kind} is not supported on this node`);
  }

  /** Files made by the agent; undefined for a volume that has none. */
  async #write(pod: corev1.Pod, volume: corev1.Volume): Promise<string | undefined> {
    const { memoryDir, node, objects, podsDir, tokens } = this.#options;
    const uid = pod.metadata.uid!;
    const payload = payloadOf(volume, {
      pod,
      node: node(),
      objects: objects.forPod(uid),
      token: (projection) => tokens.token(pod, projection),
    });
    if (!payload) return undefined;
    const isSecret = volume.secret || volume.projected;
    const plugin = volume.configMap
      ? "configmap"
      : volume.secret
        ? "secret"
        : volume.downwardAPI
          ? "downward-api"
          : "projected";
    const folder = isSecret
      ? join(memoryDir, uid, `kubernetes.io~${plugin}`, volume.name)
      : join(podsDir, uid, "volumes", `kubernetes.io~${plugin}`, volume.name);
    const gid = pod.spec!.securityContext?.fsGroup;
    const files = await payload;
    await makeVolumeFolder(folder, gid);
    await writeAtomically(folder, files, { gid, nowMs: this.#options.clock.now() });
    return folder;
  }

  async #emptyDir(
    pod: corev1.Pod,
    name: string,
    { medium, sizeLimit }: corev1.EmptyDirVolumeSource,
  ): Promise<MountedVolume> {
    const { mounter, podsDir } = this.#options;
    const folder = join(podsDir, pod.metadata.uid!, "volumes", "kubernetes.io~empty-dir", name);
    const gid = pod.spec!.securityContext?.fsGroup;
    await mkdir(folder, { recursive: true });
    if (medium === "Memory") await mounter.mountTmpfs(folder, { sizeBytes: wholeOf(sizeLimit) || undefined });
    else if (medium?.startsWith("HugePages"))
      throw new RuntimeError("Unsupported", `emptyDir medium ${medium} is not supported on this node`);
    await makeVolumeFolder(folder, gid);
    return { hostPath: folder, readOnly: false };
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
        (state.pod.spec!.volumes ?? []).map((volume) => this.#write(state.pod, volume)),
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

/** Open to every user of the pod, as upstream makes volumes; the way to it is not (see the folders above). */
async function makeVolumeFolder(folder: string, gid: number | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (gid !== undefined && process.getuid?.() === 0) await chown(folder, 0, gid);
  await chmod(folder, gid === undefined ? 0o777 : 0o2777);
}
