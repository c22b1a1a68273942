import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { type Image, type RegistryAuth, type Runtime, RuntimeError } from "../../runtime/index.ts";
import { type EventSink, type EventTarget, podTarget } from "../events.ts";
import { usedVolumes } from "../volumes/used-volumes.ts";
import type { PodImages } from "../worker/services.ts";
import { messageOf, StartError } from "../worker/start-error.ts";
import { imageNameError } from "./image-name.ts";
import { credentialsFor } from "./pull-secrets.ts";

/** As kubelet's image back-off. */
const pullBackoffInitialMs = 10_000;
const pullBackoffMsMax = 300_000;
/** How long a failed pull is shown as ErrImagePull before its back-off is. */
const errImagePullShownMs = 2_000;

/** The pull of one image for one pod that failed. */
interface FailedPull {
  backoffMs: number;
  failedAtMs: number;
  /** `reason: message`, shown during the back-off. */
  shown: string;
}

interface WantedImage {
  name: string;
  policy: string | undefined;
  /** What its events are about. */
  target: EventTarget;
}

export interface ImagePullerOptions {
  runtime: Runtime;
  clock: Clock;
  events: EventSink;
  /** Credentials from the pod's imagePullSecrets. */
  credentials(pod: corev1.Pod): Promise<RegistryAuth[]>;
  /** How many pulls run at a time. */
  parallelMax: number;
}

/**
 * Makes a container's image present, by its pull policy. As kubelet's image manager.
 *
 * - Pods that want the same image at the same time, with the same credentials, share one pull.
 * - At most `parallelMax` pulls run; others wait in the order they came.
 */
export class ImagePuller implements PodImages {
  readonly #options: ImagePullerOptions;
  readonly #failed = new Map<string, FailedPull>();
  readonly #pulls = new Map<string, Promise<{ image: Image; pullMs: number }>>();
  readonly #waiting: (() => void)[] = [];
  #active = 0;

  constructor(options: ImagePullerOptions) {
    this.#options = options;
  }

  ensure(pod: corev1.Pod, container: corev1.Container, signal: AbortSignal): Promise<Image> {
    const { image = "", imagePullPolicy, name } = container;
    const wanted = { name: image, policy: imagePullPolicy, target: podTarget(pod, name) };
    return this.#tellingFailure(pod, container, signal, wanted);
  }

  async ensureVolumes(
    pod: corev1.Pod,
    container: corev1.Container,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Image>> {
    const ofImages = (pod.spec!.volumes ?? []).filter(({ image }) => image);
    if (isFirst(pod, container)) this.#pullUnmounted(pod, ofImages, signal);
    const mounted = new Set((container.volumeMounts ?? []).map(({ name }) => name));
    const volumes = ofImages.filter(({ name }) => mounted.has(name));
    const found = volumes.map(async (volume): Promise<[string, Image]> => {
      // It is the pod's image, and the container's failure.
      return [volume.name, await this.#tellingFailure(pod, container, signal, wantedBy(pod, volume))];
    });
    return new Map(await Promise.all(found));
  }

  /** As upstream, what no container mounts is pulled, too. It holds nothing up: how it went, its events tell. */
  #pullUnmounted(pod: corev1.Pod, volumes: readonly corev1.Volume[], signal: AbortSignal): void {
    const used = usedVolumes(pod);
    for (const volume of volumes)
      if (!used.has(volume.name)) this.#ensure(pod, wantedBy(pod, volume), signal).catch(() => {});
  }

  async #tellingFailure(
    pod: corev1.Pod,
    container: corev1.Container,
    signal: AbortSignal,
    wanted: WantedImage,
  ): Promise<Image> {
    const { events } = this.#options;
    const target = podTarget(pod, container.name);
    try {
      return await this.#ensure(pod, wanted, signal);
    } catch (error) {
      if (error instanceof StartError && !signal.aborted && error.reason !== "ImagePullBackOff") {
        events.event(target, "Warning", "Failed", `Error: ${error.reason}`);
      }
      throw error;
    }
  }

  forget(podUid: string): void {
    for (const key of this.#failed.keys()) if (key.startsWith(`${podUid}_`)) this.#failed.delete(key);
  }

  async #ensure(pod: corev1.Pod, wanted: WantedImage, signal: AbortSignal): Promise<Image> {
    const { events, runtime } = this.#options;
    const { name, target } = wanted;
    const policy = wanted.policy ?? "IfNotPresent";
    const invalid = imageNameError(name);
    if (invalid) {
      const message = `Failed to apply default image tag "${name}": ${invalid}`;
      events.event(target, "Warning", "InspectFailed", message);
      throw new StartError("InvalidImageName", message);
    }
    if (policy !== "Always") {
      const present = await runtime.images.status(name);
      if (present) {
        events.event(
          target,
          "Normal",
          "Pulled",
          `Container image "${name}" already present on machine and can be accessed by the pod`,
        );
        return present;
      }
      if (policy === "Never") {
        const message = `Container image "${name}" is not present with pull policy of Never`;
        events.event(target, "Warning", "ErrImageNeverPull", message);
        throw new StartError("ErrImageNeverPull", message);
      }
    }
    return this.#pull(pod, wanted, signal);
  }

  async #pull(pod: corev1.Pod, { name, target }: WantedImage, signal: AbortSignal): Promise<Image> {
    const { clock, credentials, events } = this.#options;
    const key = `${pod.metadata.uid}_${name}`;
    const before = this.#failed.get(key);
    const leftMs = before ? before.failedAtMs + before.backoffMs - clock.monotonicMs() : 0;
    if (before && leftMs > 0) {
      const message = `Back-off pulling image "${name}"`;
      events.event(target, "Normal", "BackOff", message);
      const due = formatTime(clock.now() + leftMs);
      throw new StartError("ImagePullBackOff", `${message}: ${before.shown}; next try at ${due}`, leftMs);
    }
    events.event(target, "Normal", "Pulling", `Pulling image "${name}"`);
    const startMs = clock.monotonicMs();
    try {
      const auth = credentialsFor(name, await credentials(pod));
      const { image, pullMs } = await this.#shared(name, auth, signal);
      const wholeMs = clock.monotonicMs() - startMs;
      events.event(
        target,
        "Normal",
        "Pulled",
        `Successfully pulled image "${name}" in ${duration(pullMs)} (${duration(wholeMs)} including waiting). Image size: ${image.sizeBytes} bytes.`,
      );
      this.#failed.delete(key);
      return image;
    } catch (error) {
      if (signal.aborted) throw error;
      const message = messageOf(error);
      events.event(target, "Warning", "Failed", `Failed to pull image "${name}": ${message}`);
      const { reason, shown } = pullFailure(name, error);
      const backoffMs =
        before && clock.monotonicMs() - before.failedAtMs < 2 * pullBackoffMsMax
          ? Math.min(before.backoffMs * 2, pullBackoffMsMax)
          : pullBackoffInitialMs;
      this.#failed.set(key, { backoffMs, failedAtMs: clock.monotonicMs(), shown: `${reason}: ${shown}` });
      throw new StartError(reason, shown, Math.min(errImagePullShownMs, backoffMs));
    }
  }

  /** One pull for all that ask for the same at the same time; it ends early only when nobody waits for it. */
  async #shared(
    name: string,
    auth: RegistryAuth[],
    signal: AbortSignal,
  ): Promise<{ image: Image; pullMs: number }> {
    const key = `${name}\0${JSON.stringify(auth)}`;
    let pull = this.#pulls.get(key);
    if (!pull) {
      pull = this.#queued(name, auth).finally(() => this.#pulls.delete(key));
      this.#pulls.set(key, pull);
    }
    let stop = () => {};
    const aborted = new Promise<never>((_resolve, reject) => {
      stop = () => reject(signal.reason);
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
    });
    // The signal is the pod's, which may outlive many pulls.
    return Promise.race([pull, aborted]).finally(() => signal.removeEventListener("abort", stop));
  }

  async #queued(name: string, auth: RegistryAuth[]): Promise<{ image: Image; pullMs: number }> {
    const { clock, parallelMax, runtime } = this.#options;
    if (this.#active >= parallelMax) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#active++;
    const startMs = clock.monotonicMs();
    try {
      const image = await runtime.images.pull(name, auth.length > 0 ? { auth } : {});
      return { image, pullMs: clock.monotonicMs() - startMs };
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#active--;
    }
  }
}

/** Whether it is the one that starts before, or with, all others of its pod. */
const isFirst = ({ spec }: corev1.Pod, { name }: corev1.Container) =>
  [...(spec!.initContainers ?? []), ...spec!.containers][0]!.name === name;

const wantedBy = (pod: corev1.Pod, { image }: corev1.Volume): WantedImage => ({
  name: image!.reference ?? "",
  policy: image!.pullPolicy,
  target: podTarget(pod),
});

function pullFailure(
  name: string,
  error: unknown,
): { reason: "ErrImagePull" | "RegistryUnavailable" | "InvalidImageName"; shown: string } {
  const message = messageOf(error);
  if (error instanceof RuntimeError && error.reason === "RegistryUnavailable") {
    return {
      reason: "RegistryUnavailable",
      shown: `image pull failed for ${name} because the registry is unavailable: ${message}`,
    };
  }
  if (error instanceof RuntimeError && error.reason === "InvalidImageName")
    return { reason: "InvalidImageName", shown: message };
  return { reason: "ErrImagePull", shown: message };
}

/** As Go prints a duration cut to milliseconds: `853ms`, `1.204s`, `1m2.5s`. */
export function duration(ms: number): string {
  const whole = Math.floor(ms);
  if (whole < 1) return "0s";
  if (whole < 1_000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${Number(((whole % 60_000) / 1_000).toFixed(3))}s`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
