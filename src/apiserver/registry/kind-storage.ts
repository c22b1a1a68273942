import type { Kind } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import type { Draft, Entry, Revision, Store } from "../../store/index.ts";
import { keyPrefix, requirePathSegment } from "./keys.ts";

/**
 * The objects of one kind in the store.
 *
 * - What is written stands in the store as the JSON that clients get: kind, apiVersion and resourceVersion included.
 * - The object given to `put` is owned by the store from then on, and freezes it when it is first read.
 *
 * Counterpart upstream: `k8s.io/apiserver/pkg/storage/etcd3`.
 */
export class KindStorage {
  readonly kind: Kind;
  readonly store: Store;
  /** Of all the kind's objects. */
  readonly prefix: string;
  /** How messages name the resource. */
  readonly groupResource: { group: string; resource: string };

  constructor(store: Store, kind: Kind) {
    this.store = store;
    this.kind = kind;
    const { group, resource } = kind.storedAs?.kind ?? kind;
    this.prefix = keyPrefix(group, resource);
    this.groupResource = { group: kind.group, resource: kind.resource };
  }

  prefixOf(namespace: string | undefined): string {
    if (!namespace || this.kind.scope === "Cluster") return this.prefix;
    requirePathSegment("Namespace", namespace);
    return `${this.prefix}${namespace}/`;
  }

  key(namespace: string | undefined, name: string): string {
    requirePathSegment("Name", name);
    return this.prefixOf(namespace) + name;
  }

  get(key: string): Promise<Entry | undefined> {
    return this.store.get(key);
  }

  put(key: string, object: KubeObject, expect: Revision): Promise<Entry> {
    const ttlS = this.kind.ttlS?.(object);
    return this.store.put(key, draftOf(object), { expect, ...(ttlS !== undefined && { ttlS }) });
  }

  /** `last`: the state that watchers see as the deleted object. */
  delete(key: string, last: KubeObject, expect: Revision): Promise<Entry> {
    return this.store.delete(key, draftOf(last), { expect });
  }
}

/** An object's JSON at a revision not known yet. What identifies it comes first, for people and for quick scans. */
export function draftOf(object: KubeObject): Draft {
  const { kind, apiVersion, metadata, ...rest } = object;
  return (revision) => {
    const stored = {
      kind,
      apiVersion,
      metadata: { ...metadata, resourceVersion: String(revision) },
      ...rest,
    };
    return { bytes: Buffer.from(JSON.stringify(stored)), object: stored };
  };
}
