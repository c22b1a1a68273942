import type { PartStrategy } from "../../api/index.ts";
import { conflict, invalid, type KubeObject, notFound, staleResourceVersion } from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import { authorizeResource } from "../authorize.ts";
import type { Call, Caller, Outcome, Serving } from "../context.ts";
import { guaranteedUpdate, type Write } from "../registry/guaranteed-update.ts";
import { sameJson } from "../registry/json-value.ts";
import {
  bumpGeneration,
  carryOver,
  dedupOwnerReferences,
  endsDeletion,
  ensureName,
  ensureNamespace,
} from "../registry/metadata.ts";
import { admissionRequest, admitMutating, admitValidating, isDryRun } from "./admission.ts";
import { prepareNewObject } from "./create.ts";
import { sameButForTimes, trackManager } from "./managed-fields.ts";
import { validateForUpdate } from "./validate.ts";

/** A change of one object, by PUT, PATCH or a subresource. */
export interface ObjectChange {
  /**
   * The object as it should become; fresh and mutable. Called again, with what is then stored, after a lost race.
   * `old` is frozen; absent when there is no object and `createIfAbsent` allows one.
   */
  make(old: KubeObject | undefined): KubeObject | Promise<KubeObject>;
  /**
   * `status`: the rest of the object stays, and the reverse for `main`. `named`: the part of the kind's strategy that
   * the call's subresource names. `other`: `make` has changed and checked just what its subresource is about.
   */
  part: "main" | "status" | "named" | "other";
  createIfAbsent: "never" | "allowed";
  /** `apply` has written managedFields itself. */
  fieldsOwned: "track" | "applied";
}

/**
 * Brings an object from what is stored to what `change` makes of it: checks, admission, validation, write.
 *
 * Counterpart upstream: `registry/generic/registry.Store.Update` and `rest.BeforeUpdate`.
 */
export async function updateObject(
  serving: Serving,
  caller: Caller,
  call: Call,
  change: ObjectChange,
): Promise<Outcome> {
  const { storage } = call;
  const name = call.name!;
  let created = false;
  /** What the last decision came to: the answer when nothing is written. */
  let decided: KubeObject | undefined;

  const decide = async (current: Entry | undefined): Promise<Write> => {
    decided = undefined;
    created = current === undefined;
    if (!current) {
      if (change.createIfAbsent === "never") throw notFound(storage.groupResource, name);
      // A PUT or an apply that makes an object needs the right to create it, too.
      await authorizeResource(serving, caller, { ...call, verb: "create" });
      decided = await createByUpdate(serving, caller, call, change);
      return isDryRun(call) ? { do: "nothing" } : { do: "put", object: decided };
    }
    const old: KubeObject = current.object;
    const object = await change.make(old);
    requireSameObject(call, object, old, current);
    // Before the fields are counted as the writer's: what is put back it has not written.
    if (change.part === "named") partOf(call).prepareForUpdate(object, old);
    if (change.fieldsOwned === "track") trackManager(serving, caller, call, object, old);
    await admitMutating(
      serving,
      admissionRequest(serving, call, caller, { operation: "UPDATE", name, object, old }),
    );
    await prepareUpdate(serving, caller, call, change, object, old);
    await admitValidating(
      serving,
      admissionRequest(serving, call, caller, { operation: "UPDATE", name, object, old }),
    );
    decided = object;
    if ((change.part === "main" || change.part === "other") && endsDeletion(storage.kind, object, old)) {
      return isDryRun(call) ? { do: "nothing" } : { do: "delete", last: object };
    }
    if (isUnchanged(object, old)) {
      decided = undefined;
      return { do: "nothing" };
    }
    return isDryRun(call) ? { do: "nothing" } : { do: "put", object };
  };

  const written = await guaranteedUpdate(storage, storage.key(call.namespace, name), name, decide);
  const code = created ? 201 : 200;
  if (written.did !== "nothing") return { is: "entry", code, entry: written.entry };
  return decided ? { is: "object", code, object: decided } : { is: "entry", code, entry: written.entry! };
}

async function createByUpdate(
  serving: Serving,
  caller: Caller,
  call: Call,
  change: ObjectChange,
): Promise<KubeObject> {
  const object = await change.make(undefined);
  ensureNamespace(call.storage.kind, object.metadata, call.namespace);
  ensureName(object.metadata, call.name!);
  const { uid } = object.metadata;
  if (uid) {
    throw conflict(
      call.storage.groupResource,
      call.name!,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  await prepareNewObject(serving, caller, call, object, change.fieldsOwned);
  return object;
}

/** Name, namespace, uid and revision must be those of what is stored, where the client says them. */
function requireSameObject(call: Call, object: KubeObject, old: KubeObject, current: Entry): void {
  const { kind, groupResource } = call.storage;
  const { metadata } = object;
  ensureNamespace(kind, metadata, call.namespace);
  ensureName(metadata, call.name!);
  if (metadata.uid && metadata.uid !== old.metadata.uid) {
    throw conflict(
      groupResource,
      call.name!,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  const asked = metadata.resourceVersion;
  if (asked === undefined || asked === "" || asked === "0") {
    if (kind.strategy.allowUnconditionalUpdate === false) {
      throw invalid({ group: kind.group, kind: kind.resource }, call.name!, [
        {
          reason: "FieldValueInvalid",
          message: "Invalid value: 0: must be specified for an update",
          field: "metadata.resourceVersion",
        },
      ]);
    }
  } else if (asked !== String(current.revision)) {
    throw conflict(groupResource, call.name!, staleResourceVersion);
  }
}

async function prepareUpdate(
  serving: Serving,
  caller: Caller,
  call: Call,
  change: ObjectChange,
  object: KubeObject,
  old: KubeObject,
): Promise<void> {
  const { kind } = call.storage;
  const { strategy } = kind;
  dedupOwnerReferences(object.metadata, (message) => caller.warn(message));
  carryOver(object.metadata, old.metadata);
  keepOtherPart(change.part, kind.hasStatus, object, old);
  if (change.part === "main") {
    strategy.prepareForUpdate?.(object, old);
    bumpGeneration(kind, object, old);
  } else if (change.part === "status") {
    strategy.prepareForStatusUpdate?.(object, old, serving.clock.now());
  } else if (change.part === "named") {
    partOf(call).prepareForUpdate(object, old);
    bumpGeneration(kind, object, old);
  }
  object.metadata.resourceVersion = old.metadata.resourceVersion;
  if (change.part === "other") return;
  const part = change.part === "named" ? partOf(call) : change.part;
  const causes = validateForUpdate(kind, part, object, old, serving.schemas);
  if (causes.length > 0) throw invalid(kind, call.name!, causes);
  if (change.part === "named") return;
  for (const warning of strategy.warnings?.(object, old) ?? []) caller.warn(warning);
}

const partOf = ({ storage, subresource }: Call): PartStrategy<KubeObject> =>
  storage.kind.strategy.parts![subresource!]!;

/** A write to an object's spec leaves its status alone, and a write to its status all but that. */
function keepOtherPart(
  part: ObjectChange["part"],
  hasStatus: boolean,
  object: KubeObject,
  old: KubeObject,
): void {
  if (part === "main") {
    if (!hasStatus) return;
    if (old.status === undefined) delete object.status;
    else object.status = old.status;
    return;
  }
  if (part === "other" || part === "named") return;
  for (const field of Object.keys(object)) {
    if (field !== "status" && field !== "metadata" && !(field in old)) delete object[field];
  }
  for (const field of Object.keys(old)) {
    if (field !== "status" && field !== "metadata") object[field] = old[field];
  }
  const { ownerReferences, finalizers } = old.metadata;
  // As the strategies' status updates: who owns an object, and what holds it, is no part of its status.
  object.metadata.ownerReferences = ownerReferences;
  object.metadata.finalizers = finalizers;
}

/** As upstream, a change of nothing but times in managedFields is no change. */
function isUnchanged(object: KubeObject, old: KubeObject): boolean {
  const { managedFields, ...metadata } = object.metadata;
  const { managedFields: oldManagedFields, ...oldMetadata } = old.metadata;
  if (!sameJson(metadata, oldMetadata)) return false;
  if (!sameJson({ ...object, metadata: undefined }, { ...old, metadata: undefined })) return false;
  return sameButForTimes(managedFields, oldManagedFields);
}
