import type { corev1 } from "../../api/index.ts";
import {
  createWorkqueue,
  type Informer,
  namespaces,
  type ReconcileResult,
  runWorkers,
} from "../../client/index.ts";
import { formatTime, isStatus, keyOf } from "../../machinery/index.ts";
import type { Controller, ControllerContext, StoredResource } from "../controller.ts";

const workers = 5;
/** Pods take their grace period; each deletion of theirs is seen only by asking again. */
const retryMs = 200;
const finalizer = "kubernetes";

/** Empties a namespace that is being deleted, then lets it go. Counterpart upstream: `pkg/controller/namespace`. */
export class NamespaceController implements Controller {
  readonly name = "namespace-controller";
  readonly #context: ControllerContext;
  readonly #namespaces: Informer<corev1.Namespace>;
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#namespaces = context.informers.informer<corev1.Namespace>(namespaces);
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#context.informers.start(signal);
    const enqueue = (namespace: corev1.Namespace) => {
      if (namespace.metadata.deletionTimestamp) this.#queue.add(keyOf(namespace));
    };
    const stop = this.#namespaces.addHandler({ added: enqueue, updated: (_, after) => enqueue(after) });
    signal.addEventListener("abort", stop);
    const { log } = this.#context;
    void runWorkers({ queue: this.#queue, workers, reconcile: (key) => this.#reconcile(key), signal, log });
  }

  async #reconcile(name: string): Promise<ReconcileResult> {
    const namespace = this.#namespaces.get(name);
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(finalizer)) return;
    const left = await this.#deleteContent(name);
    if (left.remaining.length > 0 || left.failures.length > 0) {
      await this.#report(namespace, left);
      return { afterMs: retryMs };
    }
    try {
      await this.#context.client.transport.request({
        verb: "update",
        resource: namespaces,
        subresource: "finalize",
        name,
        body: {
          ...namespace,
          spec: { ...namespace.spec, finalizers: namespace.spec.finalizers.filter((f) => f !== finalizer) },
        },
      });
    } catch (error) {
      if (isStatus(error, "NotFound")) return;
      if (isStatus(error, "Conflict")) return { afterMs: retryMs };
      throw error;
    }
  }

  /**
   * Deletes everything in a namespace, and says what is still there. Nothing else goes while there are pods: what they
   * rely on, and what keeps them in bounds, outlives them.
   */
  async #deleteContent(namespace: string): Promise<Content> {
    const isPods = ({ group, resource }: StoredResource) => group === "" && resource === "pods";
    const resources = this.#context.resources().filter((r) => r.namespaced);
    const left = await this.#deleteAll(namespace, resources.filter(isPods));
    if (left.remaining.length > 0 || left.failures.length > 0) return left;
    return this.#deleteAll(
      namespace,
      resources.filter((resource) => !isPods(resource)),
    );
  }

  async #deleteAll(namespace: string, resources: readonly StoredResource[]): Promise<Content> {
    const content: Content = { remaining: [], finalizers: new Map(), failures: [] };
    for (const resource of resources) {
      try {
        const client = this.#context.client.resource(resource);
        let list = await client.list({ namespace });
        if (list.items.length === 0) continue;
        await client.deleteCollection(namespace, { propagationPolicy: "Background" });
        list = await client.list({ namespace });
        if (list.items.length === 0) continue;
        content.remaining.push({ resource, count: list.items.length });
        for (const item of list.items) {
          for (const f of item.metadata.finalizers ?? [])
            content.finalizers.set(f, (content.finalizers.get(f) ?? 0) + 1);
        }
      } catch (error) {
        content.failures.push(`${resource.resource}: ${(error as Error).message}`);
      }
    }
    return content;
  }

  /** What holds a namespace back is in its conditions, in upstream's words. */
  async #report(namespace: corev1.Namespace, content: Content): Promise<void> {
    const conditions = conditionsFor(
      content,
      namespace.status?.conditions ?? [],
      formatTime(this.#context.clock.now()),
    );
    const before = (namespace.status?.conditions ?? []).map((c) => `${c.type}${c.status}${c.message}`).join();
    if (before === conditions.map((c) => `${c.type}${c.status}${c.message}`).join()) return;
    try {
      await this.#context.client
        .resource<corev1.Namespace>(namespaces)
        .updateStatus({ ...namespace, status: { ...namespace.status, conditions } });
    } catch (error) {
      if (!isStatus(error, "Conflict") && !isStatus(error, "NotFound")) throw error;
    }
  }
}

interface Content {
  remaining: { resource: StoredResource; count: number }[];
  finalizers: Map<string, number>;
  failures: string[];
}

function conditionsFor(
  content: Content,
  before: readonly corev1.NamespaceCondition[],
  now: string,
): corev1.NamespaceCondition[] {
  const remaining = content.remaining
    .map(
      ({ resource: { resource, group }, count }) =>
        `${group ? `${resource}.${group}` : `${resource}.`} has ${count} resource instances`,
    )
    .join(", ");
  const finalizers = [...content.finalizers]
    .map(([name, count]) => `${name} in ${count} resource instances`)
    .join(", ");
  const rows: [string, boolean, string, string, string, string][] = [
    [
      "NamespaceDeletionDiscoveryFailure",
      false,
      "",
      "",
      "ResourcesDiscovered",
      "All resources successfully discovered",
    ],
    [
      "NamespaceDeletionGroupVersionParsingFailure",
      false,
      "",
      "",
      "ParsedGroupVersions",
      "All legacy kube types successfully parsed",
    ],
    [
      "NamespaceDeletionContentFailure",
      content.failures.length > 0,
      "ContentDeletionFailed",
      `Failed to delete all resource types, ${content.failures.length} remaining: ${content.failures.join(", ")}`,
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ],
    [
      "NamespaceContentRemaining",
      content.remaining.length > 0,
      "SomeResourcesRemain",
      `Some resources are remaining: ${remaining}`,
      "ContentRemoved",
      "All content successfully removed",
    ],
    [
      "NamespaceFinalizersRemaining",
      content.finalizers.size > 0,
      "SomeFinalizersRemain",
      `Some content in the namespace has finalizers remaining: ${finalizers}`,
      "ContentHasNoFinalizers",
      "All content-preserving finalizers finished",
    ],
  ];
  return rows.map(([type, holds, reason, message, reasonElse, messageElse]) => {
    const status = holds ? "True" : "False";
    const known = before.find((c) => c.type === type);
    return {
      type,
      status,
      reason: holds ? reason : reasonElse,
      message: holds ? message : messageElse,
      lastTransitionTime: known?.status === status ? known.lastTransitionTime : now,
    };
  });
}
