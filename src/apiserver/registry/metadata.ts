import type { Kind } from "../../api/index.ts";
import type { Random } from "../../base/index.ts";
import { badRequest, type KubeObject, type ObjectMeta, type OwnerReference } from "../../machinery/index.ts";
import { sameJson } from "./json-value.ts";

/** As `k8s.io/apiserver/pkg/storage/names`: the whole name stays within a DNS label. */
const generatedNameLengthMax = 63;
const generatedSuffixLength = 5;

/** A name made of `metadata.generateName`. */
export function generateName(base: string, random: Random): string {
  return (
    base.slice(0, generatedNameLengthMax - generatedSuffixLength) + random.nameSuffix(generatedSuffixLength)
  );
}

/** Takes the namespace of the request, or refuses another one. As `rest.EnsureObjectNamespaceMatchesRequestNamespace`. */
export function ensureNamespace(kind: Kind, metadata: ObjectMeta, namespace: string | undefined): void {
  if (kind.scope === "Cluster") {
    delete metadata.namespace;
  } else if (!metadata.namespace) {
    metadata.namespace = namespace;
  } else if (metadata.namespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
}

/** Refuses an object whose name is another than the path's. As `handlers.checkName`. */
export function ensureName(metadata: ObjectMeta, name: string): void {
  if (!metadata.name) {
    throw badRequest("the name of the object (based on URL) was undeterminable: name must be provided");
  }
  if (metadata.name !== name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
}

/** What the server alone decides of a new object. As `rest.WipeObjectMetaSystemFields` and `FillObjectMetaSystemFields`. */
export function fillForCreate(kind: Kind, metadata: ObjectMeta, uid: string, now: string): void {
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  delete metadata.resourceVersion;
  metadata.uid = uid;
  metadata.creationTimestamp = now;
  if (kind.strategy.tracksGeneration) metadata.generation = 1;
  else delete metadata.generation;
}

/** Keeps what an update may not change or remove. As `rest.BeforeUpdate`. */
export function carryOver(metadata: ObjectMeta, old: ObjectMeta): void {
  delete metadata.selfLink;
  if (old.generation === undefined) delete metadata.generation;
  else metadata.generation = old.generation;
  metadata.uid ||= old.uid;
  metadata.creationTimestamp = old.creationTimestamp;
  // An update never marks an object as deleted, nor takes that mark away.
  if (old.deletionTimestamp === undefined) delete metadata.deletionTimestamp;
  else metadata.deletionTimestamp = old.deletionTimestamp;
  if (old.deletionGracePeriodSeconds === undefined) delete metadata.deletionGracePeriodSeconds;
  else metadata.deletionGracePeriodSeconds ??= old.deletionGracePeriodSeconds;
}

/** The generation grows with each change outside of metadata and status. */
export function bumpGeneration(kind: Kind, object: KubeObject, old: KubeObject): void {
  if (!kind.strategy.tracksGeneration) return;
  const { metadata: _m, status: _s, ...wanted } = object;
  const { metadata: _om, status: _os, ...before } = old;
  if (!sameJson(wanted, before)) object.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

/** Several references to one owner become one, and the client is told. As `dedupOwnerReferencesAndAddWarning`. */
export function dedupOwnerReferences(metadata: ObjectMeta, warn: (message: string) => void): void {
  const owners = metadata.ownerReferences;
  if (!owners || owners.length < 2) return;
  // By uid first: an object may have thousands of owners.
  const keptOf = new Map<string, OwnerReference[]>();
  const kept = owners.filter((owner) => {
    const others = keptOf.get(owner.uid);
    if (others?.some((other) => sameJson(other, owner))) return false;
    if (others) others.push(owner);
    else keptOf.set(owner.uid, [owner]);
    return true;
  });
  if (kept.length === owners.length) return;
  const uids = [...new Set(owners.filter((owner) => !kept.includes(owner)).map((owner) => owner.uid))];
  metadata.ownerReferences = kept;
  warn(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids.join(", ")}`,
  );
}

/** Whether an update that leaves no finalizer ends an object that waits for deletion. As `ShouldDeleteDuringUpdate`. */
export function endsDeletion(kind: Kind, object: KubeObject, old: KubeObject): boolean {
  return (
    (object.metadata.finalizers?.length ?? 0) === 0 &&
    old.metadata.deletionTimestamp !== undefined &&
    (old.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    !(kind.strategy.holdsDeletion?.(object) ?? false)
  );
}
