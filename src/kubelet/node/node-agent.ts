import { isDeepStrictEqual } from "node:util";
import type { coordinationv1, corev1 } from "../../api/index.ts";
import type { Clock, Log } from "../../base/index.ts";
import { leases, nodes, type Transport } from "../../client/index.ts";
import { formatMicroTime, isStatus } from "../../machinery/index.ts";
import type { Runtime } from "../../runtime/index.ts";
import type { EventSink, EventTarget } from "../events.ts";
import type { PressureCondition } from "../eviction/signals.ts";
import { Pause } from "../pause.ts";
import { Backoff } from "../worker/backoff.ts";
import { messageOf } from "../worker/start-error.ts";
import type { HostInfo } from "./host-info.ts";
import { nodeImages } from "./node-images.ts";
import { type NodeIdentity, nodeLabels, nodeObject, nodeStatus } from "./node-object.ts";

const leaseNamespace = "kube-node-lease";

/** As kubelet: the lease says the node lives; the status is written when it changes, and now and then. */
const leaseDurationS = 40;
const leaseRenewMs = 10_000;
const statusReportMs = 300_000;
const retryBackoff = { initialMs: 200, capMs: 7_000 };

export interface NodeAgentOptions {
  identity: Omit<NodeIdentity, "runtimeVersion" | "runtimeHandlers">;
  host: HostInfo;
  /** What the node is short of. */
  pressure(): readonly PressureCondition[];
  /** Why it takes no pods. */
  unready(): string | undefined;
  transport: Transport;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  events: EventSink;
}

/** Registers the node, and keeps its object and its lease alive. */
export class NodeAgent {
  readonly #options: NodeAgentOptions;
  #identity: NodeIdentity;
  #node: corev1.Node;
  #reportedAtMs = 0;
  #lease: coordinationv1.Lease | undefined;
  readonly #pause: Pause;

  constructor(options: NodeAgentOptions) {
    this.#options = options;
    this.#pause = new Pause(options.clock);
    this.#identity = { ...options.identity, runtimeVersion: "", runtimeHandlers: [] };
    this.#node = nodeObject(this.#identity, options.host);
  }

  /** The node as it was last written, or seen. */
  get node(): corev1.Node {
    return this.#node;
  }

  /** Someone changed it: a label, a taint, `kubectl cordon`. */
  observe(node: corev1.Node): void {
    if (node.metadata.uid === this.#node.metadata.uid) this.#node = node;
  }

  /** Resolves once the node is registered and its status written. */
  async register(signal: AbortSignal): Promise<void> {
    const { runtime } = this.#options;
    const [{ name, version }, runtimeHandlers] = await Promise.all([runtime.version(), runtime.handlers()]);
    this.#identity = {
      ...this.#identity,
      runtimeHandlers,
      // `peapod://1.8.1+peapod-crun`, and for another's engine `containerd://1.6.20`.
      runtimeVersion: name.startsWith("peapod-") ? `peapod://${version}+${name}` : `${name}://${version}`,
    };
    await this.#persist("registering the node", signal, () => this.#register());
    await this.#persist("writing the node's status", signal, () => this.#report());
    const { events } = this.#options;
    events.event(this.reference, "Normal", "Starting", "Starting kubelet.");
  }

  /** What events are about. */
  get reference(): EventTarget {
    return { apiVersion: "v1", kind: "Node", name: this.#identity.name, uid: this.#node.metadata.uid };
  }

  /** The node's conditions may have changed: they are told now. */
  wake(): void {
    this.#pause.wake();
  }

  /** Until the signal: the lease every ten seconds, the status when it has changed. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#renewLease();
        await this.#reportIfChanged();
      } catch (error) {
        if (!signal.aborted) log.warn({ error: messageOf(error) }, "the node's heartbeat failed");
        this.#lease = undefined;
      }
      await this.#pause.take(leaseRenewMs, signal);
    }
  }

  async #persist(what: string, signal: AbortSignal, attempt: () => Promise<void>): Promise<void> {
    const { clock, log } = this.#options;
    const backoff = new Backoff(retryBackoff);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ error: messageOf(error) }, `${what} failed; it will be tried again`);
        await clock.sleep(backoff.next(), signal);
      }
    }
  }

  async #register(): Promise<void> {
    const { transport, host } = this.#options;
    const { name } = this.#identity;
    const status = await this.#status();
    try {
      const { object } = await transport.request({
        verb: "create",
        resource: nodes,
        body: { ...nodeObject(this.#identity, host), status },
      });
      this.#node = object;
    } catch (error) {
      if (!isStatus(error, "AlreadyExists")) throw error;
      const { object } = await transport.request({ verb: "get", resource: nodes, name });
      this.#node = object;
      await this.#reconcileLabels();
    }
  }

  async #reconcileLabels(): Promise<void> {
    const wanted = nodeLabels(this.#identity, this.#options.host);
    const has = this.#node.metadata.labels ?? {};
    const differs = Object.entries(wanted).some(([key, value]) => has[key] !== value);
    if (differs) await this.#patch({ metadata: { labels: wanted } });
  }

  async #patch(body: object, subresource?: string): Promise<void> {
    const { object } = await this.#options.transport.request({
      verb: "patch",
      resource: nodes,
      subresource,
      name: this.#identity.name,
      patch: { type: "strategic", body },
    });
    this.#node = object;
  }

  async #status(): Promise<corev1.NodeStatus> {
    const { clock, host, pressure, runtime, unready } = this.#options;
    const [health, images] = await Promise.all([
      runtime.status().catch((error) => ({ ready: false, message: messageOf(error) })),
      // An engine that does not answer has not lost them.
      runtime.images.list().then(nodeImages, () => this.#node.status?.images ?? []),
    ]);
    const status = nodeStatus(
      this.#identity,
      host,
      { pressure: pressure(), runtime: health, unready: unready() },
      this.#node.status,
      clock.now(),
    );
    return { ...status, images };
  }

  async #reportIfChanged(): Promise<void> {
    const { clock } = this.#options;
    const status = await this.#status();
    const isDue = clock.monotonicMs() - this.#reportedAtMs >= statusReportMs;
    if (isDue || !isDeepStrictEqual(withoutTimes(status), withoutTimes(this.#node.status ?? {})))
      await this.#write(status);
  }

  async #report(): Promise<void> {
    await this.#write(await this.#status());
  }

  async #write(status: corev1.NodeStatus): Promise<void> {
    const { addresses, allocatable, capacity, ...rest } = status;
    const before = this.#node.status ?? {};
    const isSame = isDeepStrictEqual(before.addresses ?? [], addresses);
    try {
      await this.#patch(
        {
          status: {
            ...rest,
            capacity: changes(before.capacity, capacity),
            allocatable: changes(before.allocatable, allocatable),
            ...(!isSame && { addresses: [...addresses!, { $patch: "replace" }] }),
          },
        },
        "status",
      );
    } catch (error) {
      // Someone deleted the node: it registers again.
      if (!isStatus(error, "NotFound")) throw error;
      await this.#register();
    }
    this.#reportedAtMs = this.#options.clock.monotonicMs();
  }

  async #renewLease(): Promise<void> {
    const { clock, transport } = this.#options;
    const { name } = this.#identity;
    const renewTime = formatMicroTime(clock.now());
    if (!this.#lease) this.#lease = await this.#findLease();
    if (!this.#lease) {
      const { metadata } = this.#node;
      const body: coordinationv1.Lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: {
          name,
          namespace: leaseNamespace,
          ...(metadata.uid && {
            ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid: metadata.uid }],
          }),
        },
        spec: { holderIdentity: name, leaseDurationSeconds: leaseDurationS, renewTime },
      };
      const { object } = await transport.request({
        verb: "create",
        resource: leases,
        namespace: leaseNamespace,
        body,
      });
      this.#lease = object;
      return;
    }
    const spec = {
      ...this.#lease.spec,
      holderIdentity: name,
      leaseDurationSeconds: leaseDurationS,
      renewTime,
    };
    const { object } = await transport.request({
      verb: "update",
      resource: leases,
      namespace: leaseNamespace,
      name,
      body: { ...this.#lease, spec },
    });
    this.#lease = object;
  }

  async #findLease(): Promise<coordinationv1.Lease | undefined> {
    try {
      const { object } = await this.#options.transport.request({
        verb: "get",
        resource: leases,
        namespace: leaseNamespace,
        name: this.#identity.name,
      });
      return object;
    } catch (error) {
      if (isStatus(error, "NotFound")) return undefined;
      throw error;
    }
  }
}

type Amounts = Readonly<Record<string, string>>;

/** Amounts that differ, and null for those that are no more: others write theirs beside the node's own. */
function changes(before: Amounts = {}, wanted: Amounts = {}): Record<string, string | null> {
  const gone = Object.keys(before).filter((name) => !(name in wanted));
  return Object.fromEntries([
    ...Object.entries(wanted).filter(([name, amount]) => before[name] !== amount),
    ...gone.map((name) => [name, null]),
  ]);
}

const ownConditions = new Set(["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]);

/** Heartbeats are no change, and what others write (volumes) is not ours to compare. */
function withoutTimes({
  conditions,
  capacity,
  allocatable,
  addresses,
  nodeInfo,
  runtimeHandlers,
  images,
}: corev1.NodeStatus) {
  return {
    conditions: (conditions ?? [])
      .filter(({ type }) => ownConditions.has(type))
      .map(({ type, status, reason }) => ({ type, status, reason })),
    capacity,
    allocatable,
    addresses,
    nodeInfo,
    runtimeHandlers,
    images: images ?? [],
  };
}
