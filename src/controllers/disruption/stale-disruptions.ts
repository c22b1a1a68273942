import type { corev1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type Informer,
  pods,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { formatTime, isStatus, keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";

const workers = 1;
/** As upstream's `stalePodDisruptionTimeout`: who announced a deletion and has not asked for it by then does not mean it. */
const staleMs = 2 * 60_000;

/**
 * Takes back what a pod's status says of its disruption when nobody goes on to delete it. Counterpart upstream: the
 * second queue of `pkg/controller/disruption`.
 */
export class StaleDisruptions implements Controller {
  readonly name = "stale-pod-disruptions";
  readonly #context: ControllerContext;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#pods = context.informers.informer<corev1.Pod>(pods);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const look = (pod: corev1.Pod) => {
      if (staleAfterMs(pod, this.#context.clock.now()) !== undefined) this.#queue.add(keyOf(pod));
    };
    const stop = this.#pods.addHandler({ added: look, updated: (_, after) => look(after) });
    signal.addEventListener("abort", stop);
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const pod = this.#pods.get(key);
    const nowMs = this.#context.clock.now();
    const afterMs = pod && staleAfterMs(pod, nowMs);
    if (!pod || afterMs === undefined) return;
    if (afterMs > 0) return { afterMs };
    const { namespace, name, uid, generation } = pod.metadata;
    const condition = {
      type: "DisruptionTarget",
      status: "False",
      reason: null,
      message: null,
      observedGeneration: generation,
      lastTransitionTime: formatTime(nowMs),
    };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      const resource = this.#context.client.resource(pods);
      await resource.patch(namespace, name!, "strategic", body, { subresource: "status" });
    } catch (error) {
      if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
    }
  }
}

/** When what is said of a pod's disruption is stale; undefined when nothing is said, or it is true. Pure. */
export function staleAfterMs({ metadata, status }: corev1.Pod, nowMs: number): number | undefined {
  // An ended pod keeps its reason.
  if (metadata.deletionTimestamp || status?.phase === "Succeeded" || status?.phase === "Failed")
    return undefined;
  const disruption = status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  if (disruption?.status !== "True" || !disruption.lastTransitionTime) return undefined;
  // The node's agent ends a pod itself, and takes the time that needs.
  if (disruption.reason === "TerminationByKubelet") return undefined;
  return Math.max(0, Date.parse(disruption.lastTransitionTime) + staleMs - nowMs);
}
