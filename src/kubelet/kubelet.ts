import { join } from "node:path";
import { computeQosClass, type corev1, isMirrorPod } from "../api/index.ts";
import { type NodeApi, nodes, pods as podsResource } from "../client/index.ts";
import type { ContainerStatus, PodSandboxStatus } from "../runtime/index.ts";
import { admit, type Refusal } from "./admission/admit.ts";
import { podsToPreempt } from "./admission/preempt.ts";
import { admitAppArmor } from "./admission/security-modules.ts";
import { SysctlAllowlist } from "./admission/sysctls.ts";
import { podUidLabel, restoredPod, sandboxAllocation } from "./container/labels.ts";
import type { Csi } from "./csi/index.ts";
import { podTarget } from "./events.ts";
import { nodeResources } from "./node/capacity.ts";
import { readHostInfo } from "./node/host-info.ts";
import { Housekeeping } from "./node/housekeeping.ts";
import { NodeAgent } from "./node/node-agent.ts";
import { KubeletApi } from "./node-api.ts";
import { type KubeletOptions, type SettledOptions, settle } from "./options.ts";
import { OrphanFolders } from "./orphan-folders.ts";
import { NodePages } from "./pages/pages.ts";
import { createPodServices, makeFolders } from "./pod-services.ts";
import { ResizeFiles } from "./resize/resize-file.ts";
import { Resizes } from "./resize/resizes.ts";
import { isGraceful } from "./shutdown/shutdown-plan.ts";
import { MirrorPods, mirrorsWaitMsMax } from "./static/mirror-pods.ts";
import { StaticPods, type StaticRun } from "./static/static-pods.ts";
import { type MeasuredPod, Sampler } from "./stats/sampler.ts";
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
  /**
   * The node goes: where its settings give pods time for that, they end in order, and their statuses say why. Resolves
   * when they have ended, or their time is over.
   */
  shutDown(): Promise<void>;
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
  #resizes!: Resizes;
  #pages: NodePages | undefined;
  #node!: NodeAgent;
  #mirrors!: MirrorPods;
  #housekeeping!: Housekeeping;
  #csi!: Csi;
  #orphanFolders!: OrphanFolders;
  readonly #sysctls: SysctlAllowlist;
  readonly #closers: (() => void | Promise<void>)[] = [];

  constructor(options: KubeletOptions) {
    const workers = new Map<string, PodWorker>();
    super({
      ...{ runtime: options.runtime, clock: options.clock, logsDir: join(options.dir, "logs") },
      worker: (uid) => workers.get(uid) ?? workers.get(this.#mirrors.staticUidOf(uid) ?? ""),
      pages: () => this.#pages,
    });
    this.#workers = workers;
    this.#options = settle(options);
    this.#sysctls = new SysctlAllowlist(this.#options.config.allowedUnsafeSysctls);
    this.nodeName = options.nodeName;
    this.stopped = new Promise((resolve) => {
      this.#onStopped = resolve;
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { clock, informers, log, runtime } = this.#options;
    signal.addEventListener("abort", () => void this.#stop(), { once: true });
    await this.#prepare(signal);
    const pods = informers.informer<corev1.Pod>(podsResource, {
      fieldSelector: `spec.nodeName=${this.nodeName}`,
    });
    // Its labels and taints are others' to change, and decide what is admitted.
    const self = informers.informer<corev1.Node>(nodes, {
      fieldSelector: `metadata.name=${this.nodeName}`,
    });
    const connected = Promise.all([informers.start(signal), this.#node.register(signal)]);
    connected.catch(() => {});
    const left = groupByPod(...(await Promise.all([runtime.listPodSandboxes(), runtime.listContainers()])));
    this.#closers.push(runtime.onEvent(({ sandboxId }) => this.#wakeOwner(sandboxId)));
    // They need no API; of those that run already it is known what was shown of them, if it answers soon.
    if (left.size > 0) await Promise.race([connected, clock.sleep(mirrorsWaitMsMax, signal)]).catch(() => {});
    for (const pod of pods.list().filter(isMirrorPod)) this.#mirrors.observe(pod);
    await this.#startStaticPods(left);
    await connected;
    if (signal.aborted) return;
    this.#csi.start();
    const observe = (node: corev1.Node) => {
      this.#node.observe(node);
      this.#resizes.retry();
    };
    this.#closers.push(self.addHandler({ added: observe, updated: (_, after) => observe(after) }));

    const known = pods.list().sort(byCreation);
    for (const pod of known) this.#add(pod, left.get(pod.metadata.uid!)?.sandboxes ?? []);
    const uids = new Set(known.map(({ metadata }) => metadata.uid!));
    for (const [uid, rest] of left) if (!uids.has(uid) && !this.#workers.has(uid)) this.#addOrphan(rest);
    // Only now: who was here before is counted.
    this.#resizes.retry();
    this.#mirrors.start();
    await this.#orphanFolders.remove();
    this.#closers.push(
      pods.addHandler({
        added: (pod) => this.#add(pod, []),
        updated: (before, after) => this.#update(before, after),
        deleted: (last) => this.#remove(last),
      }),
    );
    await this.#housekeeping.start(signal);
    void this.#node.run(signal).catch((error) => log.error({ error }, "the node's heartbeat ended"));
  }

  async shutDown(): Promise<void> {
    if (isGraceful(this.#options.config)) await this.#housekeeping.shutDown();
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const {
      clock,
      config,
      dir,
      events,
      labels,
      log,
      nodeIps,
      nodeName,
      podCidrs,
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
      resources: nodeResources(host, config),
    };
    this.#node = new NodeAgent({
      ...{ identity, host, transport, runtime, clock, log, events },
      pressure: () => this.#housekeeping.conditions,
      unready: () => this.#housekeeping.unready,
    });
    this.#housekeeping = new Housekeeping(this.#options, {
      machine: host,
      workers: this.#workers,
      node: () => this.#node.reference,
      onConditions: () => this.#node.wake(),
      written: (uid) => this.#services.statuses.flushed(uid),
      orphanFolders: () => this.#orphanFolders.remove(),
      keptLogs: () => this.#orphanFolders.removeLogs(),
    });
    const facts = () => ({ hostIps: nodeIps, allocatable: this.#node.node.status?.allocatable ?? {} });
    this.#resizes = new Resizes({
      clock,
      log,
      events,
      files: new ResizeFiles(join(dir, "pods")),
      node: () => this.#node.node,
      activePods: (exceptUid) => this.#activePods(exceptUid),
      changed: (uid) => this.#resized(uid),
    });
    const resizes = this.#resizes;
    const { services, close, csi } = await createPodServices(this.#options, {
      host,
      node: facts,
      signal,
      resizes,
    });
    this.#services = services;
    this.#csi = csi;
    this.#orphanFolders = new OrphanFolders({
      ...{ dir, clock, log, signal, volumes: services.volumes },
      isKnown: (uid) => this.#workers.has(uid),
    });
    const measured = () => [...this.#workers.values()].map(measuredPod);
    this.#pages = new NodePages({
      ...{ nodeName, config, machine: host, pods: measured, logsDir: join(dir, "logs") },
      sampler: new Sampler({
        ...{ dir, runtime, clock, pods: measured },
        volumes: (uid) => services.volumes.usage(uid),
      }),
      probeCounts: () => services.probes.counts,
      startCounts: services.counts,
      containerEnds: () => services.statuses.containerEnds,
    });
    const nodeUid = () => this.#node.node.metadata.uid ?? "";
    this.#mirrors = new MirrorPods({
      ...{ nodeName, nodeUid, transport, clock, log, signal },
      statuses: services.statuses,
    });
    this.#closers.push(close);
  }

  async #startStaticPods(left: ReadonlyMap<string, LeftOfPod>): Promise<void> {
    const { clock, config, events, log, nodeName, staticPodPath } = this.#options;
    if (staticPodPath === undefined) return;
    const pods = new StaticPods({
      checkMs: config.fileCheckFrequency.ms,
      ...{ path: staticPodPath, nodeName, clock, log, events, mirrors: this.#mirrors },
      sandboxesOf: (uid) => (left.get(uid)?.sandboxes ?? []).map(({ id }) => id),
      run: (pod, given) => this.#runStatic(pod, given),
    });
    this.#closers.push(() => pods.close());
    await pods.start();
  }

  #runStatic(pod: corev1.Pod, { onDone, ...given }: StaticRun): PodWorker | undefined {
    const uid = pod.metadata.uid!;
    const services = { ...this.#services, statuses: this.#mirrors };
    if (given.sandboxIds.length === 0 && this.#isRefused(pod, services)) return undefined;
    const shown = given.sandboxIds.length > 0 ? this.#mirrors.statusOf(pod) : undefined;
    const worker = new PodWorker(
      services,
      { ...pod, status: shown ?? pod.status },
      {
        ...given,
        object: "present",
        onDone: (done) => {
          this.#workers.delete(uid);
          this.#housekeeping.podsChanged();
          onDone(done);
        },
      },
    );
    this.#workers.set(uid, worker);
    this.#housekeeping.podsChanged();
    worker.wake();
    return worker;
  }

  #add(pod: corev1.Pod, sandboxes: readonly PodSandboxStatus[]): void {
    if (isMirrorPod(pod)) {
      this.#mirrors.observe(pod);
      return;
    }
    const existing = this.#workers.get(pod.metadata.uid!);
    if (existing) {
      this.#resizes.update(pod);
      existing.update(this.#resizes.allocated(pod));
      return;
    }
    if (sandboxes.length === 0 && isUntouched(pod) && this.#isRefused(pod, this.#services)) return;
    const newest = [...sandboxes].sort((a, b) => b.metadata.attempt - a.metadata.attempt)[0];
    this.#resizes.add(pod, newest && sandboxAllocation(newest));
    this.#work(this.#resizes.allocated(pod), sandboxes, "present").wake();
  }

  /** What a pod is given, or waits for, has changed. */
  #resized(uid: string): void {
    const worker = this.#workers.get(uid);
    worker?.update(this.#resizes.allocated(worker.pod));
  }

  /** Whether the pod does not fit, and has been told so. */
  #isRefused(pod: corev1.Pod, { events, statuses }: PodServices): boolean {
    const refusal =
      this.#housekeeping.admit(pod) ??
      this.#sysctls.admit(pod) ??
      admitAppArmor(pod, this.#options.securityModules) ??
      admit(pod, this.#activePods(pod.metadata.uid!), this.#node.node);
    if (!refusal || this.#preempted(pod, refusal)) return false;
    const { reason, message } = refusal;
    events.event(podTarget(pod), "Warning", reason, message);
    statuses.set(pod, {
      ...pod.status,
      phase: "Failed",
      reason,
      message: `Pod was rejected: ${message}`,
      observedGeneration: pod.metadata.generation,
      qosClass: pod.status?.qosClass ?? computeQosClass(pod.spec!),
    });
    return true;
  }

  /** Whether others make room for a critical pod; they end while it starts. */
  #preempted(pod: corev1.Pod, { reason }: Refusal): boolean {
    if (!reason.startsWith("OutOf")) return false;
    const victims = podsToPreempt(pod, this.#activePods(pod.metadata.uid!), this.#node.node);
    for (const victim of victims ?? []) {
      const message = "Preempted in order to admit critical pod";
      this.#services.events.event(podTarget(victim), "Warning", "Preempting", message);
      this.#workers.get(victim.metadata.uid!)?.fail({
        ...{ phase: "Failed", reason: "Preempting", message, unlessItEndsWell: true },
        disruption: {
          reason: "TerminationByKubelet",
          message: "Pod was preempted by Kubelet to accommodate a critical pod.",
        },
      });
    }
    return victims !== undefined;
  }

  #work(pod: corev1.Pod, sandboxes: readonly PodSandboxStatus[], object: "present" | "gone"): PodWorker {
    const uid = pod.metadata.uid!;
    const worker = new PodWorker(this.#services, pod, {
      sandboxIds: sandboxes.map(({ id }) => id),
      object,
      onDone: () => {
        this.#workers.delete(uid);
        this.#housekeeping.podsChanged();
        this.#resizes.remove(uid);
        this.#resizes.retry();
      },
    });
    this.#workers.set(uid, worker);
    this.#housekeeping.podsChanged();
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
    if (isMirrorPod(after)) {
      this.#mirrors.observe(after);
      return;
    }
    const worker = this.#workers.get(after.metadata.uid!);
    if (worker) {
      this.#resizes.update(after);
      worker.update(this.#resizes.allocated(after));
      if (before.metadata.generation !== after.metadata.generation) this.#housekeeping.podsChanged();
      // A pod that has ended needs its room no more.
      if (isEnded(after) && !isEnded(before)) this.#resizes.retry();
    } else if (after.metadata.deletionTimestamp) this.#deleteRefused(after);
  }

  #remove(last: corev1.Pod): void {
    if (isMirrorPod(last)) {
      this.#mirrors.gone(last);
      return;
    }
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

  /** What others share the node with. Of those without an object the room has been given away. As `GetActivePods`. */
  #activePods(exceptUid: string): corev1.Pod[] {
    return [...this.#workers.values()]
      .filter(({ uid, isOver, hasObject }) => uid !== exceptUid && !isOver && hasObject)
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

  async #stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
    this.#onStopped();
  }
}

const measuredPod = ({ pod, status, observed }: PodWorker): MeasuredPod => ({
  ...{ pod, status, containers: observed?.containers ?? [] },
  sandboxId: observed?.sandboxes.find(({ state }) => state === "ready")?.id,
});

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

const isEnded = ({ status }: corev1.Pod) => status?.phase === "Succeeded" || status?.phase === "Failed";

/** Not admitted yet: nothing of it has run, and nobody has decided its end. */
function isUntouched(pod: corev1.Pod): boolean {
  const { metadata, status } = pod;
  return (
    !metadata.deletionTimestamp &&
    !isEnded(pod) &&
    !(status?.containerStatuses ?? []).some(({ containerID }) => containerID)
  );
}

function byCreation(a: corev1.Pod, b: corev1.Pod): number {
  return String(a.metadata.creationTimestamp ?? "") < String(b.metadata.creationTimestamp ?? "") ? -1 : 1;
}
