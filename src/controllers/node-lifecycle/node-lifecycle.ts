import type { coordinationv1, corev1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  leases,
  nodes,
  pods,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { formatTime, isStatus } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { patienceMs, readyStatus, type Sign, signOf, unknownConditions } from "./health.ts";
import { hasNoExecute, noExecuteKey, noScheduleKeys, tainted } from "./taints.ts";
import { evictionRates, isAllLost, zoneOf } from "./zones.ts";

const workers = 8;
const leaseNamespace = "kube-node-lease";

/**
 * Says of nodes that are silent that nothing is known of them, and taints nodes by their conditions. Counterpart
 * upstream: `pkg/controller/nodelifecycle`.
 */
export class NodeLifecycle implements Controller {
  readonly name = "node-lifecycle-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #nodes: Informer<corev1.Node>;
  readonly #leases: Informer<coordinationv1.Lease>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;
  readonly #signs = new Map<string, Sign>();
  /** When pods may next be driven off a node of a zone, in monotonic ms. */
  readonly #nextEvictionMs = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("node-controller");
    this.#nodes = context.informers.informer<corev1.Node>(nodes);
    this.#leases = context.informers.informer<coordinationv1.Lease>(leases);
    this.#pods = context.informers.informer<corev1.Pod>(pods, {
      indexers: { node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) },
    });
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const renewed = ({ metadata }: coordinationv1.Lease) => {
      if (metadata.namespace === leaseNamespace) this.#queue.add(metadata.name!);
    };
    const stops = [
      this.#nodes.addHandler({
        added: (node) => {
          this.#tell(node, "RegisteredNode", `Registered Node ${node.metadata.name} in Controller`);
          this.#queue.add(node.metadata.name!);
        },
        updated: (before, after) => {
          this.#queue.add(after.metadata.name!);
          // What becomes of one node also depends on how the others are.
          if (readyStatus(before) !== readyStatus(after)) this.#wakeAll();
        },
        deleted: (node) => {
          this.#signs.delete(node.metadata.name!);
          this.#tell(node, "RemovingNode", `Removing Node ${node.metadata.name} from Controller`);
          this.#wakeAll();
        },
      }),
      this.#leases.addHandler({ added: renewed, updated: (_, after) => renewed(after) }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  #wakeAll(): void {
    for (const { metadata } of this.#nodes.list()) this.#queue.add(metadata.name!);
  }

  async #reconcile(name: string): Promise<ReconcileResult> {
    const node = this.#nodes.get(name);
    if (!node) return;
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    const lease = this.#leases.get(`${leaseNamespace}/${name}`);
    const sign = signOf(this.#signs.get(name), node, lease, nowMs);
    this.#signs.set(name, sign);
    const leftMs = patienceMs(sign, node, nowMs);
    if (leftMs <= 0) {
      const conditions = unknownConditions(node, clock.now());
      // Its event brings us back here, for the taints.
      if (conditions) return this.#declareLost(node, conditions);
    }
    await this.#reconcileLabels(node);
    const againMs = await this.#reconcileTaints(node);
    const afterMs = Math.min(leftMs > 0 ? leftMs : Number.MAX_SAFE_INTEGER, againMs);
    return afterMs < Number.MAX_SAFE_INTEGER ? { afterMs } : undefined;
  }

  async #declareLost(node: corev1.Node, conditions: corev1.NodeCondition[]): Promise<void> {
    const wasReady = readyStatus(node) === "True";
    const status = { ...node.status, conditions };
    await this.#context.client.resource<corev1.Node>(nodes).updateStatus({ ...node, status });
    if (!wasReady) return;
    const { name, uid } = node.metadata;
    const about = { apiVersion: "v1", kind: "Node", name: name!, uid };
    this.#recorder.event(about, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
    await Promise.all(this.#pods.byIndex("node", name!).map((pod) => this.#markNotReady(pod)));
  }

  /** Nobody should rely on it any longer. */
  async #markNotReady(pod: corev1.Pod): Promise<void> {
    const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True") return;
    const { namespace, name, uid } = pod.metadata;
    const lastTransitionTime = formatTime(this.#context.clock.now());
    const condition = { type: "Ready", status: "False", lastTransitionTime };
    try {
      await this.#context.client
        .resource(pods)
        .patch(
          namespace,
          name!,
          "strategic",
          { metadata: { uid }, status: { conditions: [condition] } },
          { subresource: "status" },
        );
    } catch (error) {
      if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return;
      throw error;
    }
    this.#recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready");
  }

  /** Old names of labels say the same as the new ones. */
  async #reconcileLabels({ metadata }: corev1.Node): Promise<void> {
    const labels = metadata.labels ?? {};
    const wanted: Record<string, string> = {};
    for (const what of ["os", "arch"]) {
      const value = labels[`kubernetes.io/${what}`];
      const old = `beta.kubernetes.io/${what}`;
      if (value !== undefined && labels[old] !== value) wanted[old] = value;
    }
    if (Object.keys(wanted).length === 0) return;
    const body = { metadata: { labels: wanted } };
    await this.#context.client.resource(nodes).patch(undefined, metadata.name!, "strategic", body);
  }

  /** Returns when to look again, in ms. */
  async #reconcileTaints(node: corev1.Node): Promise<number> {
    const wanted = noExecuteKey(node);
    let noExecute = wanted;
    let againMs = Number.MAX_SAFE_INTEGER;
    const all = this.#nodes.list();
    if (wanted && isAllLost(all)) {
      noExecute = undefined;
    } else if (wanted && !hasNoExecute(node)) {
      againMs = this.#waitMs(node, all);
      if (againMs > 0) noExecute = undefined;
      else againMs = Number.MAX_SAFE_INTEGER;
    }
    const { clock, client } = this.#context;
    const taints = tainted(node, { noSchedule: noScheduleKeys(node), noExecute }, clock.now());
    if (!taints) return againMs;
    const { name, resourceVersion } = node.metadata;
    // On the taints as they were seen: somebody may add one at the same time.
    const body = { metadata: { resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } };
    await client.resource(nodes).patch(undefined, name!, "merge", body);
    return againMs;
  }

  /** How long until pods may be driven off one more node of the zone; 0: now, and then it is taken. */
  #waitMs(node: corev1.Node, all: readonly corev1.Node[]): number {
    const zone = zoneOf(node);
    const rate = evictionRates(all).get(zone) ?? 0;
    // A change of the zone wakes all its nodes.
    if (rate === 0) return Number.MAX_SAFE_INTEGER;
    const nowMs = this.#context.clock.monotonicMs();
    const leftMs = (this.#nextEvictionMs.get(zone) ?? nowMs) - nowMs;
    if (leftMs > 0) return leftMs;
    this.#nextEvictionMs.set(zone, nowMs + 1_000 / rate);
    return 0;
  }

  #tell({ metadata: { name, uid } }: corev1.Node, reason: string, what: string): void {
    const about = { apiVersion: "v1", kind: "Node", name: name!, uid };
    this.#recorder.event(about, "Normal", reason, `Node ${name} event: ${what}`);
  }
}
