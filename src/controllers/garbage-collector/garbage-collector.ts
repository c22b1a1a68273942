import { createWorkqueue, type ReconcileResult, runWorkers } from "../../client/index.ts";
import { isStatus, type KubeObject, type OwnerReference, parseApiVersion } from "../../machinery/index.ts";
import type { Controller, ControllerContext, StoredResource } from "../controller.ts";
import { foregroundFinalizer, Graph, type GraphNode, orphanFinalizer } from "./graph.ts";

const workers = 20;
/** Events come and go by themselves and own nothing; upstream ignores them too. */
const ignored = new Set(["/events", "events.k8s.io/events"]);

/**
 * Deletes what lost its owners, and does what foreground and orphan deletion ask for. Counterpart upstream:
 * `pkg/controller/garbagecollector`.
 *
 * - The graph comes from informers; absence of an owner is confirmed by a live read before anything is deleted.
 * - Each deletion carries the uid, so that a newcomer of the same name is safe.
 */
export class GarbageCollector implements Controller {
  readonly name = "garbage-collector-controller";
  readonly #context: ControllerContext;
  readonly #graph = new Graph();
  readonly #queue;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = createWorkqueue({ clock: context.clock });
  }

  async start(signal: AbortSignal): Promise<void> {
    const { informers, log } = this.#context;
    const resources = this.#context.resources().filter((r) => !ignored.has(`${r.group}/${r.resource}`));
    const sources = resources.map((resource) => ({ resource, informer: informers.informer(resource) }));
    await informers.start(signal);
    for (const { resource, informer } of sources) {
      const upsert = (object: KubeObject) => this.#add(this.#graph.upsert(resource, object));
      const stop = informer.addHandler({
        added: upsert,
        updated: (_, after) => upsert(after),
        deleted: (last) => this.#add(this.#graph.remove(last.metadata.uid!)),
      });
      signal.addEventListener("abort", stop);
    }
    void runWorkers({ queue: this.#queue, workers, reconcile: (uid) => this.#reconcile(uid), signal, log });
  }

  #add(uids: readonly string[]): void {
    for (const uid of uids) this.#queue.add(uid);
  }

  async #reconcile(uid: string): Promise<ReconcileResult> {
    const node = this.#graph.get(uid);
    if (!node) return;
    if (node.deleting) {
      if (node.finalizers.includes(orphanFinalizer)) return this.#orphanDependents(node);
      if (node.finalizers.includes(foregroundFinalizer)) return this.#deleteDependents(node);
      return;
    }
    if (node.owners.length > 0) await this.#deleteIfUnowned(node);
  }

  async #deleteIfUnowned(node: GraphNode): Promise<void> {
    const states = await Promise.all(node.owners.map((owner) => this.#stateOf(owner, node.namespace)));
    const withState = (state: OwnerState) => node.owners.filter((_, i) => states[i] === state);
    const [solid, waiting, gone] = [withState("solid"), withState("waiting"), withState("gone")];
    if (solid.length > 0) {
      const stale = new Set([...waiting, ...gone].map((owner) => owner.uid));
      if (stale.size > 0) await this.#dropOwners(node, stale);
      return;
    }
    const dependents = waiting.length > 0 ? this.#graph.dependentsOf(node.uid) : [];
    // One of those may be what its owner waits for in the end: a circle, of which this one is made to let go.
    if (dependents.some(isWaiting)) await this.#unblockOwners(node);
    // Held up behind an owner that waits: this one's own dependents go first.
    await this.#delete(node, dependents.length > 0 ? "Foreground" : policyOf(node));
  }

  async #deleteDependents(node: GraphNode): Promise<void> {
    const blocking = this.#graph
      .dependentsOf(node.uid)
      .filter((d) => d.owners.some((owner) => owner.uid === node.uid && owner.blockOwnerDeletion === true));
    if (blocking.length === 0) return this.#removeFinalizer(node, foregroundFinalizer);
    // Dependents that do not block go as well, but are not waited for.
    for (const dependent of this.#graph.dependentsOf(node.uid))
      if (!dependent.deleting) this.#queue.add(dependent.uid);
  }

  async #orphanDependents(node: GraphNode): Promise<void> {
    const owners = new Set([node.uid]);
    await Promise.all(
      this.#graph.dependentsOf(node.uid).map((dependent) => this.#dropOwners(dependent, owners)),
    );
    await this.#removeFinalizer(node, orphanFinalizer);
  }

  async #stateOf(owner: OwnerReference, namespace: string | undefined): Promise<OwnerState> {
    const known = this.#graph.get(owner.uid);
    if (known) return isWaiting(known) ? "waiting" : "solid";
    const resource = this.#resourceOf(owner);
    // A kind that is not served may come back: nothing is deleted for its sake.
    if (!resource) return "solid";
    if (resource.namespaced && namespace === undefined) return "gone";
    try {
      const live = await this.#context.client
        .resource(resource)
        .get(resource.namespaced ? namespace : undefined, owner.name);
      return live.metadata.uid === owner.uid ? "solid" : "gone";
    } catch (error) {
      if (isStatus(error, "NotFound")) return "gone";
      throw error;
    }
  }

  #resourceOf(owner: OwnerReference): StoredResource | undefined {
    const { group, version } = parseApiVersion(owner.apiVersion);
    const same = this.#context.resources().filter((r) => r.group === group && r.kind === owner.kind);
    return same.find((r) => r.version === version) ?? same[0];
  }

  async #delete(node: GraphNode, propagationPolicy: "Foreground" | "Background" | "Orphan"): Promise<void> {
    await orGone(
      this.#context.client
        .resource(node.resource)
        .delete(node.namespace, node.name, { propagationPolicy, preconditions: { uid: node.uid } }),
    );
  }

  #dropOwners(node: GraphNode, uids: ReadonlySet<string>): Promise<void> {
    return this.#rewriteMetadata(node, (live) => ({
      ownerReferences: (live.metadata.ownerReferences ?? []).filter((owner) => !uids.has(owner.uid)),
    }));
  }

  #unblockOwners(node: GraphNode): Promise<void> {
    return this.#rewriteMetadata(node, (live) => ({
      ownerReferences: (live.metadata.ownerReferences ?? []).map((owner) => ({
        ...owner,
        blockOwnerDeletion: false,
      })),
    }));
  }

  #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    return this.#rewriteMetadata(node, (live) => ({
      finalizers: (live.metadata.finalizers ?? []).filter((f) => f !== finalizer),
    }));
  }

  /** A merge patch against the revision it was made from; a conflict is an error, and so tried again. */
  async #rewriteMetadata(node: GraphNode, change: (live: KubeObject) => object): Promise<void> {
    const client = this.#context.client.resource(node.resource);
    const live = await orGone(client.get(node.namespace, node.name));
    if (live?.metadata.uid !== node.uid) return;
    const { uid, resourceVersion } = live.metadata;
    await orGone(
      client.patch(node.namespace, node.name, "merge", {
        metadata: { uid, resourceVersion, ...change(live) },
      }),
    );
  }
}

type OwnerState = "solid" | "waiting" | "gone";

/** For its dependents to go. */
const isWaiting = ({ deleting, finalizers }: GraphNode) =>
  deleting && finalizers.includes(foregroundFinalizer);

/** A deletion by the collector keeps what the object's own finalizers ask for. */
function policyOf(node: GraphNode): "Foreground" | "Background" | "Orphan" {
  if (node.finalizers.includes(orphanFinalizer)) return "Orphan";
  return node.finalizers.includes(foregroundFinalizer) ? "Foreground" : "Background";
}

async function orGone<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}
