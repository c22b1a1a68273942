import type { corev1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  nodes,
  pods,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { disruptionCondition, disruptPod } from "../mark-disrupted.ts";
import { noExecuteTaints, stayOn } from "./toleration-time.ts";

const workers = 8;

/**
 * Evicts pods from nodes with NoExecute taints that they do not tolerate, or no longer. Counterpart upstream:
 * `pkg/controller/tainteviction`.
 *
 * - The time a pod tolerates a taint runs from when this controller first saw both, and goes on while a taint changes.
 */
export class TaintEviction implements Controller {
  readonly name = "taint-eviction-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #nodes: Informer<corev1.Node>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;
  /** Since when pods have been on notice, in monotonic ms, by key. */
  readonly #sinceMs = new Map<string, number>();

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("taint-eviction-controller");
    this.#nodes = context.informers.informer<corev1.Node>(nodes);
    this.#pods = context.informers.informer<corev1.Pod>(pods, {
      indexers: { node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) },
    });
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const nodeChanged = (node: corev1.Node) => {
      for (const pod of this.#pods.byIndex("node", node.metadata.name!)) this.#queue.add(keyOf(pod));
    };
    const podChanged = (pod: corev1.Pod) => {
      if (this.#concerns(pod)) this.#queue.add(keyOf(pod));
    };
    const stops = [
      this.#nodes.addHandler({
        added: (node) => {
          if (noExecuteTaints(node).length > 0) nodeChanged(node);
        },
        updated: (before, after) => {
          if (textOf(before) !== textOf(after)) nodeChanged(after);
        },
      }),
      this.#pods.addHandler({
        added: podChanged,
        updated: (before, after) => {
          if (before.spec !== after.spec) podChanged(after);
        },
        deleted: podChanged,
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  #concerns(pod: corev1.Pod): boolean {
    if (this.#sinceMs.has(keyOf(pod))) return true;
    const node = pod.spec!.nodeName && this.#nodes.get(pod.spec!.nodeName);
    return Boolean(node) && noExecuteTaints(node as corev1.Node).length > 0;
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const pod = this.#pods.get(key);
    const node = this.#nodes.get(pod?.spec?.nodeName ?? "");
    if (!pod || !node) {
      this.#cancel(key);
      return;
    }
    if (pod.metadata.deletionTimestamp) {
      this.#sinceMs.delete(key);
      return;
    }
    const stay = stayOn(noExecuteTaints(node), pod.spec!.tolerations ?? []);
    const nowMs = this.#context.clock.monotonicMs();
    switch (stay.for) {
      case "ever":
        this.#cancel(key);
        return;
      case "seconds": {
        const sinceMs = this.#sinceMs.get(key) ?? nowMs;
        this.#sinceMs.set(key, sinceMs);
        const leftMs = sinceMs + stay.seconds * 1_000 - nowMs;
        if (leftMs > 0) return { afterMs: leftMs };
        break;
      }
      case "no longer":
        break;
    }
    await this.#evict(key, pod);
  }

  async #evict(key: string, pod: corev1.Pod): Promise<void> {
    this.#sinceMs.delete(key);
    this.#tell(key, "Marking for deletion");
    const message = "Taint manager: deleting due to NoExecute taint";
    const disruption = { reason: "DeletionByTaintManager", message } as const;
    const condition = disruptionCondition(pod, disruption, this.#context.clock.now());
    await disruptPod(this.#context.client, pod, { condition });
  }

  #cancel(key: string): void {
    if (this.#sinceMs.delete(key)) this.#tell(key, "Cancelling deletion of");
  }

  #tell(key: string, what: "Marking for deletion" | "Cancelling deletion of"): void {
    const [namespace, name] = key.split("/") as [string, string];
    const about = { apiVersion: "v1", kind: "Pod", namespace, name, uid: this.#pods.get(key)?.metadata.uid };
    this.#recorder.event(about, "Normal", "TaintManagerEviction", `${what} Pod ${key}`);
  }
}

const textOf = (node: corev1.Node): string => JSON.stringify(noExecuteTaints(node));
