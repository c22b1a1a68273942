import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { computeQosClass, type corev1 } from "../api/index.ts";
import { type NodeApi, nodes, pods as podsResource } from "../client/index.ts";
import type { ContainerStatus, PodSandboxStatus } from "../runtime/index.ts";
import { admit } from "./admission/admit.ts";
import { podUidLabel, restoredPod } from "./container/labels.ts";
import { podTarget } from "./events.ts";
import { readHostInfo } from "./node/host-info.ts";
import { NodeAgent } from "./node/node-agent.ts";
import { KubeletApi } from "./node-api.ts";
import { type KubeletOptions, type SettledOptions, settle } from "./options.ts";
import { createPodServices, makeFolders } from "./pod-services.ts";
import { PodWorker } from "./worker/pod-worker.ts";
import type { PodServices } from "./worker/services.ts";
import { messageOf } from "./worker/start-error.ts";

/** A node's agent. Counterpart upstream: `pkg/kubelet`. */
export interface Kubelet extends NodeApi {
  /**
   * Registers the node and runs its pods. Resolves when the node is registered and its pods are being looked after;
   * goes on until the signal, which ends the agent and leaves the pods running.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when the agent has ended, after its signal. */
  readonly stopped: Promise<void>;
  readonly nodeName: string;
}

export function createKubelet(options: KubeletOptions): Kubelet {
  return new NodeKubelet(options);
}

class NodeKubelet extends KubeletApi implements Kubelet {
  readonly nodeName: string;
  readonly stopped: Promise<void>;
  readonly #options: SettledOptions;
  readonly #workers: Map<string, PodWorker>;
  readonly #sandboxOwners = new Map<string, string>();
  #onStopped: () => void = () => {};
  #services!: PodServices;
  #node!: NodeAgent;
  readonly #closers: (() => void | Promise<void>)[] = [];

  constructor(options: KubeletOptions) {
    const workers = new Map<string, PodWorker>();
    super({ runtime: options.runtime, clock: options.clock, worker: (uid) => workers.get(uid) });
    this.#workers = workers;
    this.#options = settle(options);
    this.nodeName = options.nodeName;
    this.stopped = new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log, runtime } = this.#options;
    signal.addEventListener("abort", () => void this.#stop(), { once: true });
    await this.#prepare(signal);
    const pods = informers.informer<corev1.Pod>(podsResource, {
      fieldSelector: `spec.nodeName=${this.nodeName}`,
    });
    // Its labels and taints are others' to change, and decide what is admitted.
    const self = informers.informer<corev1.Node>(nodes, {
      fieldSelector: `metadata.name=${this.nodeName}`,
    });
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandboxes(),
      runtime.listContainers(),
      informers.start(signal),
      this.#node.register(signal),
    ]);
    if (signal.aborted) return;
    const left = groupByPod(sandboxes, containers);
    const observe = (node: corev1.Node) => this.#node.observe(node);
    this.#closers.push(self.addHandler({ added: observe, updated: (_, after) => observe(after) }));
    this.#closers.push(runtime.onEvent(({ sandboxId }) => this.#wakeOwner(sandboxId)));

    const known = pods.list().sort(byCreation);
    for (const pod of known) this.#add(pod, left.get(pod.metadata.uid!)?.sandboxes ?? []);
    const uids = new Set(known.map(({ metadata }) => metadata.uid!));
    for (const [uid, rest] of left) if (!uids.has(uid)) this.#addOrphan(rest);
    await this.#removeOrphanFolders();
    this.#closers.push(
      pods.addHandler({
        added: (pod) => this.#add(pod, []),
        updated: (before, after) => this.#update(before, after),
        deleted: (last) => this.#remove(last),
      }),
    );
    void this.#node.run(signal).catch((error) => log.error({ error }, "the node's heartbeat ended"));
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const {
      clock,
      dir,
      events,
      labels,
      log,
      nodeIps,
      nodeName,
      podCidrs,
      podsMax,
      runtime,
      taints,
      transport,
    } = this.#options;
    await makeFolders(this.#options);
    const host = await readHostInfo(dir);
    const identity = {
      name: nodeName,
      ips: nodeIps,
      podCidrs,
      labels,
      taints,
      podsMax,
    };
    this.#node = new NodeAgent({ identity, host, dir, transport, runtime, clock, log, events });
    const facts = () => ({ hostIps: nodeIps, allocatable: this.#node.node.status?.allocatable ?? {} });
    const { services, close } = await createPodServices(this.#options, { host, node: facts, signal });
    this.#services = services;
    this.#closers.push(close);
  }

  #add(pod: corev1.Pod, sandboxes: readonly PodSandboxStatus[]): void {
    const uid = pod.metadata.uid!;
    const existing = this.#workers.get(uid);
    if (existing) {
      existing.update(pod);
      return;
    }
    const refusal =
      sandboxes.length === 0 && isUntouched(pod)
        ? admit(pod, this.#activePods(uid), this.#node.node)
        : undefined;
    if (refusal) {
      const { reason, message } = refusal;
      this.#services.events.event(podTarget(pod), "Warning", reason, message);
      this.#services.statuses.set(pod, {
        ...pod.status,
        phase: "Failed",
        reason,
        message: `Pod was rejected: ${message}`,
        qosClass: pod.status?.qosClass ?? computeQosClass(pod.spec!),
      });
      return;
    }
    this.#work(pod, sandboxes, "present").wake();
  }

  #work(pod: corev1.Pod, sandboxes: readonly PodSandboxStatus[], object: "present" | "gone"): PodWorker {
    const uid = pod.metadata.uid!;
    const worker = new PodWorker(this.#services, pod, {
      sandboxIds: sandboxes.map(({ id }) => id),
      object,
      onDone: () => this.#workers.delete(uid),
    });
    this.#workers.set(uid, worker);
    return worker;
  }

  /** Runs here, and has no object any more: it was deleted while the agent was not there. */
  #addOrphan({ sandboxes, containers }: LeftOfPod): void {
    const now = new Date(this.#options.clock.now()).toISOString();
    this.#work(restoredPod(sandboxes[0]!, containers, now), sandboxes, "gone").wake();
  }

  #update(before: corev1.Pod, after: corev1.Pod): void {
    // Deleted and made again between two looks: another pod of the same name.
    if (before.metadata.uid !== after.metadata.uid) {
      this.#remove(before);
      this.#add(after, []);
      return;
    }
    const worker = this.#workers.get(after.metadata.uid!);
    if (worker) worker.update(after);
    else if (after.metadata.deletionTimestamp) this.#deleteRefused(after);
  }

  #remove(last: corev1.Pod): void {
    const worker = this.#workers.get(last.metadata.uid!);
    if (worker) worker.objectGone(last);
    else this.#services.statuses.forget(last.metadata.uid!);
  }

  /** A pod that was refused has nothing here to end. */
  #deleteRefused(pod: corev1.Pod): void {
    const { log } = this.#options;
    void this.#services.statuses
      .flushed(pod.metadata.uid!)
      .then(() => this.#services.statuses.deletePod(pod))
      .catch((error) =>
        log.warn({ pod: pod.metadata.name, error: messageOf(error) }, "deleting a refused pod failed"),
      );
  }

  #activePods(exceptUid: string): corev1.Pod[] {
    return [...this.#workers.values()]
      .filter(
        ({ uid, status }) => uid !== exceptUid && status.phase !== "Succeeded" && status.phase !== "Failed",
      )
      .map(({ pod }) => pod);
  }

  #wakeOwner(sandboxId: string): void {
    let uid = this.#sandboxOwners.get(sandboxId);
    if (uid === undefined) {
      for (const worker of this.#workers.values()) if (worker.owns(sandboxId)) uid = worker.uid;
      if (uid === undefined) return;
      if (this.#sandboxOwners.size > 2 * this.#workers.size + 64) this.#sandboxOwners.clear();
      this.#sandboxOwners.set(sandboxId, uid);
    }
    this.#workers.get(uid)?.wake();
  }

  /** Folders of pods that are neither here nor with the API. */
  async #removeOrphanFolders(): Promise<void> {
    const { dir, log } = this.#options;
    const known = (uid: string) => this.#workers.has(uid);
    const [pods, memory, logs] = await Promise.all(
      ["pods", "memory", "logs"].map((name) => readdir(join(dir, name)).catch(() => [] as string[])),
    );
    const uids = new Set([...pods!, ...memory!].filter((uid) => !known(uid)));
    try {
      for (const uid of uids) {
        await this.#services.volumes.unmount(uid);
        await rm(join(dir, "pods", uid), { recursive: true, force: true });
      }
      for (const name of logs!) {
        const uid = name.slice(name.lastIndexOf("_") + 1);
        if (!known(uid)) await rm(join(dir, "logs", name), { recursive: true, force: true });
      }
    } catch (error) {
      log.warn({ error: messageOf(error) }, "folders of pods long gone could not be removed");
    }
  }

  async #stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
    this.#onStopped();
  }
}

interface LeftOfPod {
  sandboxes: PodSandboxStatus[];
  containers: ContainerStatus[];
}

function groupByPod(
  sandboxes: readonly PodSandboxStatus[],
  containers: readonly ContainerStatus[],
): Map<string, LeftOfPod> {
  const pods = new Map<string, LeftOfPod>();
  const owner = new Map<string, LeftOfPod>();
  for (const sandbox of sandboxes) {
    const uid = sandbox.labels[podUidLabel] ?? sandbox.metadata.uid;
    const left = pods.get(uid) ?? { sandboxes: [], containers: [] };
    left.sandboxes.push(sandbox);
    owner.set(sandbox.id, left);
    pods.set(uid, left);
  }
  for (const container of containers) owner.get(container.sandboxId)?.containers.push(container);
  return pods;
}

/** Not admitted yet: nothing of it has run, and nobody has decided its end. */
function isUntouched({ metadata, status }: corev1.Pod): boolean {
  const isFinal = status?.phase === "Succeeded" || status?.phase === "Failed";
  return (
    !metadata.deletionTimestamp &&
    !isFinal &&
    !(status?.containerStatuses ?? []).some(({ containerID }) => containerID)
  );
}

function byCreation(a: corev1.Pod, b: corev1.Pod): number {
  return String(a.metadata.creationTimestamp ?? "") < String(b.metadata.creationTimestamp ?? "") ? -1 : 1;
}
