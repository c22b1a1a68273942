import type { KubeObject, OwnerReference } from "../../machinery/index.ts";
import type { StoredResource } from "../controller.ts";

/** What the garbage collector knows of an object. */
export interface GraphNode {
  uid: string;
  resource: StoredResource;
  namespace: string | undefined;
  name: string;
  owners: readonly OwnerReference[];
  deleting: boolean;
  finalizers: readonly string[];
}

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** Who owns whom, by uid. Counterpart upstream: `garbagecollector.GraphBuilder`. */
export class Graph {
  readonly #nodes = new Map<string, GraphNode>();
  /** Also of owners that are not in the graph. */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  dependentsOf(uid: string): GraphNode[] {
    return [...(this.#dependents.get(uid) ?? [])].map((dependent) => this.#nodes.get(dependent)!);
  }

  /** Returns what must be looked at now. */
  upsert(resource: StoredResource, object: KubeObject): string[] {
    const {
      uid,
      namespace,
      name,
      ownerReferences = [],
      deletionTimestamp,
      finalizers = [],
    } = object.metadata;
    const node: GraphNode = {
      uid: uid!,
      resource,
      namespace,
      name: name!,
      owners: ownerReferences,
      deleting: deletionTimestamp !== undefined,
      finalizers,
    };
    const before = this.#nodes.get(node.uid);
    this.#nodes.set(node.uid, node);
    this.#relink(node, before?.owners ?? []);
    const work: string[] = [];
    if (node.deleting ? hasWork(node) : node.owners.length > 0) work.push(node.uid);
    // An owner that waits for this one: it may have stopped blocking.
    for (const owner of before?.owners ?? []) if (this.#waits(owner.uid)) work.push(owner.uid);
    return work;
  }

  remove(uid: string): string[] {
    const node = this.#nodes.get(uid);
    if (!node) return [];
    this.#nodes.delete(uid);
    for (const owner of node.owners) this.#unlink(owner.uid, uid);
    const waiting = node.owners.map((owner) => owner.uid).filter((owner) => this.#waits(owner));
    return [...(this.#dependents.get(uid) ?? []), ...waiting];
  }

  #waits(uid: string): boolean {
    const owner = this.#nodes.get(uid);
    return owner?.deleting === true && hasWork(owner);
  }

  #relink(node: GraphNode, before: readonly OwnerReference[]): void {
    for (const owner of before) {
      if (!node.owners.some((o) => o.uid === owner.uid)) this.#unlink(owner.uid, node.uid);
    }
    for (const owner of node.owners) {
      let dependents = this.#dependents.get(owner.uid);
      if (!dependents) {
        dependents = new Set();
        this.#dependents.set(owner.uid, dependents);
      }
      dependents.add(node.uid);
    }
  }

  #unlink(owner: string, dependent: string): void {
    const dependents = this.#dependents.get(owner);
    dependents?.delete(dependent);
    if (dependents?.size === 0) this.#dependents.delete(owner);
  }
}

function hasWork(node: GraphNode): boolean {
  return node.finalizers.includes(foregroundFinalizer) || node.finalizers.includes(orphanFinalizer);
}
