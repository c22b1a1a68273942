import type { corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import type { EventSink } from "../events.ts";
import type { PodWorker } from "../worker/pod-worker.ts";
import { ManifestFolder } from "./manifest-folder.ts";
import type { MirrorPods } from "./mirror-pods.ts";

export interface StaticPodsOptions {
  path: string;
  /** How often the manifests are looked at, and how long one may be invalid before its pod ends. */
  checkMs: number;
  nodeName: string;
  clock: Clock;
  log: Log;
  events: EventSink;
  mirrors: MirrorPods;
  /** Runs a pod; `onDone` is called when nothing of it is left, or what is left is for its next run. */
  run(pod: corev1.Pod, given: StaticRun): PodWorker | undefined;
  /** What the engine holds of the pod. */
  sandboxesOf(podUid: string): readonly string[];
}

export interface StaticRun {
  sandboxIds: readonly string[];
  /** Asked when the pod has ended: whether the same pod is to run again. */
  isWantedAgain(): boolean;
  onDone(worker: PodWorker): void;
}

interface Run {
  pod: corev1.Pod;
  /** Undefined: the node refused it. */
  worker: PodWorker | undefined;
  isEnding: boolean;
}

/**
 * Runs what the manifests say, one pod a name: a changed manifest's pod starts when the one before it has ended, and of
 * several changes meanwhile only the last.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #folder: ManifestFolder;
  readonly #running = new Map<string, Run>();
  #wanted: ReadonlyMap<string, corev1.Pod> = new Map();

  constructor(options: StaticPodsOptions) {
    this.#options = options;
    this.#folder = new ManifestFolder({
      ...options,
      onPods: (found) => this.#want(found),
      onInvalid: (file, why) => this.#tellInvalid(file, why),
    });
  }

  /** Resolves when the pods of the manifests there are run, or are being started. */
  start(): Promise<void> {
    return this.#folder.start();
  }

  close(): Promise<void> {
    return this.#folder.close();
  }

  #want(found: ReadonlyMap<string, corev1.Pod>): void {
    const wanted = new Map<string, corev1.Pod>();
    for (const [path, pod] of found) {
      const name = fullName(pod);
      if (wanted.has(name)) this.#tellInvalid(path, `another manifest makes the pod ${name}`);
      else wanted.set(name, pod);
    }
    this.#wanted = wanted;
    for (const name of new Set([...this.#running.keys(), ...wanted.keys()])) this.#reconcile(name);
  }

  #reconcile(name: string): void {
    const wanted = this.#wanted.get(name);
    const run = this.#running.get(name);
    if (!run) {
      if (wanted) this.#begin(name, wanted, this.#options.sandboxesOf(wanted.metadata.uid!));
      return;
    }
    if (run.pod.metadata.uid !== wanted?.metadata.uid) this.#end(name, run);
  }

  #begin(name: string, pod: corev1.Pod, sandboxIds: readonly string[]): void {
    const run: Run = { pod, worker: undefined, isEnding: false };
    this.#running.set(name, run);
    this.#options.mirrors.show(pod);
    run.worker = this.#options.run(pod, {
      sandboxIds,
      isWantedAgain: () => this.#wanted.get(name)?.metadata.uid === pod.metadata.uid,
      onDone: (worker) => this.#ended(name, pod, worker),
    });
  }

  #end(name: string, run: Run): void {
    if (run.isEnding) return;
    run.isEnding = true;
    if (!run.worker) {
      this.#ended(name, run.pod, undefined);
      return;
    }
    const deletionTimestamp = new Date(this.#options.clock.now()).toISOString();
    run.worker.update({ ...run.pod, metadata: { ...run.pod.metadata, deletionTimestamp } });
  }

  #ended(name: string, pod: corev1.Pod, worker: PodWorker | undefined): void {
    this.#running.delete(name);
    const wanted = this.#wanted.get(name);
    if (wanted && wanted.metadata.uid === pod.metadata.uid) {
      this.#begin(name, wanted, worker?.sandboxIds ?? []);
      return;
    }
    this.#options.mirrors.forget(pod.metadata.uid!);
    this.#reconcile(name);
  }

  #tellInvalid(file: string, why: string): void {
    const { events, log, nodeName } = this.#options;
    log.error({ file, error: why }, "a static pod's manifest is not used");
    const about = { apiVersion: "v1", kind: "Node", name: nodeName, uid: nodeName };
    events.event(about, "Warning", "FailedValidation", `Static pod manifest ${file} is not used: ${why}`);
  }
}

const fullName = ({ metadata }: corev1.Pod) => `${metadata.namespace}/${metadata.name}`;
