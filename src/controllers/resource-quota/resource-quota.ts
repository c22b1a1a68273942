import { isDeepStrictEqual } from "node:util";
import { evaluatorFor, isAbout, quotaStatus } from "../../admission/index.ts";
import type { corev1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type Informer,
  type ReconcileResult,
  resourceQuotas,
  runWorkers,
} from "../../client/index.ts";
import { isStatus, type KubeObject, keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext, StoredResource } from "../controller.ts";

const workers = 5;
/** As upstream's `--resource-quota-sync-period`: for what no event tells, such as a write that failed after it was charged. */
const resyncMs = 5 * 60_000;
/** What is charged and not stored yet at the very time of counting is missed; then it is there. */
const recountMs = 1_000;

/**
 * Counts what there is of what quotas limit, and says so in their status. Counterpart upstream:
 * `pkg/controller/resourcequota`.
 *
 * - What comes is charged by admission, before it is there; this controller sees to what goes.
 */
export class ResourceQuotaController implements Controller {
  readonly name = "resourcequota-controller";
  readonly #context: ControllerContext;
  readonly #quotas: Informer<corev1.ResourceQuota>;
  readonly #counted: readonly { resource: StoredResource; informer: Informer }[];
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#quotas = context.informers.informer<corev1.ResourceQuota>(resourceQuotas);
    this.#counted = context
      .resources()
      .filter((resource) => resource.namespaced && evaluatorFor(resource))
      .map((resource) => ({ resource, informer: context.informers.informer(resource) }));
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const stops = [
      this.#quotas.addHandler({
        added: (quota) => this.#queue.add(keyOf(quota)),
        updated: (before, after) => {
          const isAskedAnew = JSON.stringify(before.spec) !== JSON.stringify(after.spec);
          // Somebody else has written the status; it says what the spec says.
          const isForeign = !isDeepStrictEqual(after.status?.hard ?? {}, after.spec.hard ?? {});
          if (isAskedAnew || isForeign || !after.status?.used) this.#queue.add(keyOf(after));
        },
      }),
      ...this.#counted.map(({ resource, informer }) =>
        informer.addHandler({
          updated: (before, after) => {
            if (this.#usesLess(resource, before, after)) this.#wake(resource, after);
          },
          deleted: (object) => this.#wake(resource, object),
        }),
      ),
    ];
    signal.addEventListener("abort", () => {
      for (const stop of stops) stop();
    });
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  /** Most changes leave an object's size alone; only in namespaces with quotas it is worth a look. */
  #usesLess(resource: StoredResource, before: KubeObject, after: KubeObject): boolean {
    if (this.#quotas.list(after.metadata.namespace).length === 0) return false;
    const evaluator = evaluatorFor(resource)!;
    const nowMs = this.#context.clock.now();
    const text = (object: KubeObject) => JSON.stringify(evaluator.usage(object, nowMs));
    return text(before) !== text(after);
  }

  #wake(resource: StoredResource, object: KubeObject): void {
    const evaluator = evaluatorFor(resource)!;
    for (const quota of this.#quotas.list(object.metadata.namespace))
      if (isAbout(quota, evaluator)) this.#queue.add(keyOf(quota));
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    if (!this.#quotas.get(key)) return;
    const { client, clock } = this.#context;
    const [namespace, name] = key.split("/") as [string, string];
    try {
      // Not from the copies: what admission has charged must be counted, too.
      const quota = await client.resource<corev1.ResourceQuota>(resourceQuotas).get(namespace, name);
      const content = await Promise.all(
        this.#counted
          .map(({ resource }) => ({ resource, evaluator: evaluatorFor(resource)! }))
          .filter(({ evaluator }) => isAbout(quota, evaluator))
          .map(async ({ resource, evaluator }) => ({
            evaluator,
            objects: (await client.resource(resource).list({ namespace })).items,
          })),
      );
      const status = quotaStatus(quota, content, clock.now());
      if (!status) return { afterMs: resyncMs };
      await client.resource<corev1.ResourceQuota>(resourceQuotas).updateStatus({ ...quota, status });
      return { afterMs: recountMs };
    } catch (error) {
      if (isStatus(error, "NotFound")) return;
      throw error;
    }
  }
}
