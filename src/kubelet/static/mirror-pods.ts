import { configHashAnnotation, type corev1, mirrorPodAnnotation } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { pods, type Transport } from "../../client/index.ts";
import { isStatus } from "../../machinery/index.ts";
import type { Series } from "../stats/exposition.ts";
import { Backoff } from "../worker/backoff.ts";
import type { PodStatuses } from "../worker/services.ts";
import { messageOf } from "../worker/start-error.ts";

/** The agent's start waits no longer for what was shown of static pods before. */
export const mirrorsWaitMsMax = 2_000;
const retryBackoff = { initialMs: 500, capMs: 30_000 };

export interface MirrorPodsOptions {
  nodeName: string;
  /** Of the node's object: a mirror is owned by its node. */
  nodeUid(): string;
  transport: Transport;
  clock: Clock;
  log: Log;
  signal: AbortSignal;
  /** Writes the mirrors' statuses. */
  statuses: PodStatuses;
}

/** A static pod that is to be seen in the API. */
interface Shown {
  pod: corev1.Pod;
  status: corev1.PodStatus | undefined;
}

/**
 * The mirrors of this node's static pods: what the API shows of them, and nobody's to run. Also the place where static
 * pods' statuses go, which are their mirrors'.
 *
 * Of each name it brings the mirror there is to the one that should be, one request at a time, and tries again later
 * what failed: the API may be away, or lack the namespace. As `pkg/kubelet/pod`'s mirror client.
 */
export class MirrorPods implements PodStatuses {
  readonly #options: MirrorPodsOptions;
  readonly #shown = new Map<string, Shown>();
  readonly #mirrors = new Map<string, corev1.Pod>();
  readonly #underway = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  #isStarted = false;

  constructor(options: MirrorPodsOptions) {
    this.#options = options;
  }

  /** The node is registered, and every mirror there was has been observed. */
  start(): void {
    this.#isStarted = true;
    for (const name of new Set([...this.#shown.keys(), ...this.#mirrors.keys()])) this.#reconcile(name);
  }

  /** A static pod runs: its mirror is to exist. */
  show(pod: corev1.Pod): void {
    const name = fullName(pod);
    this.#shown.set(name, { pod, status: undefined });
    this.#reconcile(name);
  }

  /** A mirror has come, or changed. */
  observe(mirror: corev1.Pod): void {
    this.#mirrors.set(fullName(mirror), mirror);
    this.#reconcile(fullName(mirror));
  }

  gone(mirror: corev1.Pod): void {
    const name = fullName(mirror);
    this.#options.statuses.forget(mirror.metadata.uid!);
    if (this.#mirrors.get(name)?.metadata.uid !== mirror.metadata.uid) return;
    this.#mirrors.delete(name);
    this.#reconcile(name);
  }

  /** What the API shows of a static pod, as far as it is known. */
  statusOf(pod: corev1.Pod): corev1.PodStatus | undefined {
    const mirror = this.#mirrors.get(fullName(pod));
    return mirror && isMirrorOf(mirror, pod) ? mirror.status : undefined;
  }

  /** The static pod that a mirror shows. */
  staticUidOf(mirrorUid: string): string | undefined {
    for (const [name, { metadata }] of this.#mirrors) {
      if (metadata.uid === mirrorUid) return this.#shown.get(name)?.pod.metadata.uid;
    }
    return undefined;
  }

  get containerEnds(): readonly Series[] {
    return this.#options.statuses.containerEnds;
  }

  set(pod: corev1.Pod, status: corev1.PodStatus): void {
    const shown = this.#shownOf(pod.metadata.uid!);
    if (!shown) return;
    shown.status = status;
    this.#writeStatus(fullName(pod));
  }

  /** A mirror goes with its pod: nobody would see its last status, and an API that is away must hold up no pod. */
  async flushed(): Promise<void> {}

  /** The static pod has ended: its mirror goes, some time after. */
  async deletePod(pod: corev1.Pod): Promise<void> {
    this.forget(pod.metadata.uid!);
  }

  forget(podUid: string): void {
    const shown = this.#shownOf(podUid);
    if (!shown) return;
    this.#shown.delete(fullName(shown.pod));
    this.#reconcile(fullName(shown.pod));
  }

  #shownOf(uid: string): Shown | undefined {
    return [...this.#shown.values()].find(({ pod }) => pod.metadata.uid === uid);
  }

  #writeStatus(name: string): void {
    const shown = this.#shown.get(name);
    const mirror = this.#mirrors.get(name);
    if (shown?.status && mirror && isMirrorOf(mirror, shown.pod)) {
      this.#options.statuses.set(mirror, shown.status);
    }
  }

  #reconcile(name: string): void {
    if (!this.#isStarted) return;
    if (this.#underway.has(name)) {
      this.#again.add(name);
      return;
    }
    const done = this.#bringAbout(name).finally(() => {
      this.#underway.delete(name);
      if (this.#again.delete(name)) this.#reconcile(name);
    });
    this.#underway.set(name, done);
  }

  async #bringAbout(name: string): Promise<void> {
    const { clock, log, signal } = this.#options;
    const backoff = new Backoff(retryBackoff);
    while (!signal.aborted) {
      this.#again.delete(name);
      const shown = this.#shown.get(name);
      const mirror = this.#mirrors.get(name);
      try {
        if (mirror && (!shown || !isMirrorOf(mirror, shown.pod))) await this.#delete(name, mirror);
        else if (shown && !mirror) await this.#create(name, shown.pod);
        else return this.#writeStatus(name);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ pod: name, error: messageOf(error) }, "a static pod's mirror could not be brought about");
        await clock.sleep(backoff.next(), signal).catch(() => {});
      }
    }
  }

  async #create(name: string, pod: corev1.Pod): Promise<void> {
    const { nodeName, nodeUid, transport } = this.#options;
    const { uid: _uid, namespace, annotations = {}, ...metadata } = pod.metadata;
    const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid: nodeUid(), controller: true };
    const { status: _, ...rest } = pod;
    const body = {
      ...rest,
      metadata: {
        ...metadata,
        namespace,
        annotations: { ...annotations, [mirrorPodAnnotation]: annotations[configHashAnnotation]! },
        ownerReferences: [owner],
      },
    };
    try {
      const { object } = await transport.request({ verb: "create", resource: pods, namespace, body });
      this.#mirrors.set(name, object as corev1.Pod);
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
      const { object } = await transport.request({
        verb: "get",
        resource: pods,
        namespace,
        name: pod.metadata.name!,
      });
      const existing = object as corev1.Pod;
      // A pod of that name that shows no static pod is somebody's own.
      if (existing.metadata.annotations?.[mirrorPodAnnotation] === undefined) throw error;
      this.#mirrors.set(name, existing);
    }
  }

  async #delete(name: string, { metadata }: corev1.Pod): Promise<void> {
    const { statuses, transport } = this.#options;
    try {
      await transport.request({
        verb: "delete",
        resource: pods,
        namespace: metadata.namespace,
        name: metadata.name!,
        options: { gracePeriodSeconds: 0, preconditions: { uid: metadata.uid } },
      });
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
    }
    statuses.forget(metadata.uid!);
    if (this.#mirrors.get(name)?.metadata.uid === metadata.uid) this.#mirrors.delete(name);
  }
}

const fullName = ({ metadata }: corev1.Pod) => `${metadata.namespace}/${metadata.name}`;

const isMirrorOf = (mirror: corev1.Pod, pod: corev1.Pod) =>
  mirror.metadata.deletionTimestamp === undefined &&
  mirror.metadata.annotations?.[mirrorPodAnnotation] === pod.metadata.annotations?.[configHashAnnotation];
