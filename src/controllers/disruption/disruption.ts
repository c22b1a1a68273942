import { isDeepStrictEqual } from "node:util";
import type { corev1, policyv1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type EventRecorder,
  type Informer,
  podDisruptionBudgets,
  pods,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { isStatus, keyOf, type LabelSelector, selectorOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext } from "../controller.ts";
import { budgetStatus, failedStatus, needsScale } from "./budget-status.ts";
import { expectedScale } from "./expected-scale.ts";

type Budget = policyv1.PodDisruptionBudget;

const workers = 5;

/** Says in each budget's status how many pods may go. Counterpart upstream: `pkg/controller/disruption`. */
export class DisruptionController implements Controller {
  readonly name = "disruption-controller";
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #budgets: Informer<Budget>;
  readonly #pods: Informer<corev1.Pod>;
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("controllermanager");
    this.#budgets = context.informers.informer<Budget>(podDisruptionBudgets);
    this.#pods = context.informers.informer<corev1.Pod>(pods, {
      indexers: { namespace: (pod) => [pod.metadata.namespace!] },
    });
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stops = [
      this.#budgets.addHandler({
        added: (budget) => this.#queue.add(keyOf(budget)),
        updated: (_, budget) => this.#queue.add(keyOf(budget)),
      }),
      this.#pods.addHandler({
        added: (pod) => this.#wake(pod),
        updated: (before, after) => {
          this.#wake(after);
          if (before.metadata.labels !== after.metadata.labels) this.#wake(before);
        },
        deleted: (pod) => this.#wake(pod),
      }),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  #wake(pod: corev1.Pod): void {
    for (const budget of this.#budgets.list(pod.metadata.namespace))
      if (selects(budget, pod)) this.#queue.add(keyOf(budget));
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const budget = this.#budgets.get(key);
    if (!budget || budget.metadata.deletionTimestamp) return;
    const { clock } = this.#context;
    const mine = this.#pods
      .byIndex("namespace", budget.metadata.namespace!)
      .filter((pod) => selects(budget, pod));
    if (mine.length === 0) this.#recorder.event(budget, "Normal", "NoPods", "No matching pods found");
    let scale = 0;
    try {
      if (needsScale(budget)) scale = await this.#scaleOf(budget, mine);
    } catch (error) {
      const why = (error as Error).message;
      this.#recorder.event(
        budget,
        "Warning",
        "CalculateExpectedPodCountFailed",
        `Failed to calculate the number of expected pods: ${why}`,
      );
      await this.#write(budget, failedStatus(budget, why, clock.now()));
      throw error;
    }
    const { status, notDeleted, afterMs } = budgetStatus(budget, mine, scale, clock.now());
    const { namespace } = budget.metadata;
    for (const pod of notDeleted) {
      const message = `Pod was expected by PDB ${namespace}/${namespace} to be deleted but it wasn't`;
      this.#recorder.event(pod, "Warning", "NotDeleted", message);
    }
    await this.#write(budget, status);
    return afterMs === undefined ? undefined : { afterMs };
  }

  async #scaleOf(budget: Budget, mine: readonly corev1.Pod[]): Promise<number> {
    const { client } = this.#context;
    const { scale, unmanaged } = await expectedScale(client, this.#context.resources(), mine);
    if (unmanaged.length > 0) {
      const selector = selectorOf(budget.spec.selector as LabelSelector | undefined);
      this.#recorder.event(
        budget,
        "Warning",
        "UnmanagedPods",
        `Pods selected by this PodDisruptionBudget (selector: ${selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
      );
    }
    return scale;
  }

  async #write(budget: Budget, status: policyv1.PodDisruptionBudgetStatus): Promise<void> {
    if (isDeepStrictEqual(known(budget.status), known(status))) return;
    try {
      await this.#context.client.resource<Budget>(podDisruptionBudgets).updateStatus({ ...budget, status });
    } catch (error) {
      // An eviction took of it, or someone changed it, meanwhile: that wakes the key.
      if (!isStatus(error, "Conflict") && !isStatus(error, "NotFound")) throw error;
    }
  }
}

/** Without what is undefined. */
const known = (status: object | undefined) => JSON.parse(JSON.stringify(status ?? {}));

const selects = ({ metadata, spec }: Budget, pod: corev1.Pod): boolean =>
  metadata.namespace === pod.metadata.namespace &&
  selectorOf(spec.selector as LabelSelector | undefined).matches(pod.metadata.labels);
