import { type KubeObject, parseApiVersion } from "../meta.ts";
import { isObject, type JsonObject } from "../patch/own-property.ts";
import type { ObjectSchema, SchemaRegistry } from "../schema.ts";
import { badRequest } from "../status.ts";
import { formatTime } from "../time.ts";
import { fieldsNamedIn, fieldsOfApplied } from "./applied-fields.ts";
import { compareObjects, fieldsOfNew, sameJson } from "./compare.ts";
import { type Conflict, conflictError } from "./conflict.ts";
import {
  difference,
  type FieldSet,
  intersection,
  isEmptySet,
  pathsOf,
  union,
  withoutPaths,
} from "./field-set.ts";
import { entriesOf, type Manager, managersOf, sameManager } from "./managers.ts";
import { mergeApplied } from "./merge-applied.ts";
import { rootTypeOf, type StructType } from "./merge-type.ts";
import { removeFields, withNamedFields } from "./remove-fields.ts";
import { filtered, withoutChanges } from "./track-update.ts";

/** A server-side apply: `PATCH` with `application/apply-patch+yaml`. */
export interface Apply {
  type: ObjectSchema;
  registry: SchemaRegistry;
  /** The stored object; undefined when the apply makes it. */
  live: KubeObject | undefined;
  /** The configuration as it was sent, not defaulted: only what it names is owned. */
  applied: KubeObject;
  /** `?fieldManager=`, which an apply must have. */
  manager: string;
  /** Takes fields over from other managers instead of failing. */
  force: boolean;
  apiVersion: string;
  subresource?: string;
  nowMs: number;
  /** Paths that this endpoint does not write, as in `TrackedUpdate`. */
  resetFields?: readonly string[];
}

/**
 * Merges the configuration into the live object, removes what this manager applied before and does not any more (and nobody else
 * owns), and records who owns what. The result is not defaulted, has its new `managedFields`, and shares what is unchanged with
 * `live`. Throws a `StatusError`: 409 with a cause a field that another manager owns, 400 for a configuration that does
 * not fit its type.
 *
 * Counterpart upstream: `structured-merge-diff/merge.Updater.Apply`, `managedfields.FieldManager.Apply`.
 */
export function applyPatch(apply: Apply): { object: KubeObject } {
  const { live, applied, apiVersion, force } = apply;
  checkApplied(apply);
  const root = rootTypeOf(apply.type, apply.registry);
  const time = formatTime(apply.nowMs);
  const fields = withoutPaths(fieldsOfApplied(root, applied, describe(applied)), apply.resetFields ?? []);
  const me: Manager = {
    manager: apply.manager,
    operation: "Apply",
    apiVersion,
    ...(apply.subresource && { subresource: apply.subresource }),
    time,
    fields,
  };
  const known = knownManagers(root, apply, time);
  const previous = known.find((manager) => sameManager(manager, me));
  const others = known.filter((manager) => manager !== previous);

  const base: JsonObject = live ?? {};
  const merged = mergeApplied(root, base, applied);
  const object = prune(root, merged, previous?.fields, [me, ...others]);
  const changes = filtered(compareObjects(root, base, object), apply.resetFields);
  if (!force) refuseConflicts(others, changes.changed);

  const remaining = others.map((other) => ({ ...other, fields: withoutChanges(other.fields, changes) }));
  const unchanged = previous && object === live && sameJson(previous.fields, fields);
  const managers = [...remaining, unchanged ? { ...me, time: previous.time } : me];
  return { object: withManagedFields(object as KubeObject, managers) };
}

function checkApplied({ applied, apiVersion }: Apply): void {
  if (!isObject(applied) || !isObject(applied.metadata))
    throw badRequest("an applied configuration must have metadata");
  if (applied.apiVersion !== apiVersion) {
    throw badRequest(
      "Incorrect version specified in apply patch. " +
        `Specified patch version: ${applied.apiVersion}, expected: ${apiVersion}`,
    );
  }
  if (applied.metadata.managedFields !== undefined && applied.metadata.managedFields !== null) {
    throw badRequest("metadata.managedFields must be nil");
  }
}

function describe({ apiVersion, kind, metadata }: KubeObject): string {
  const { group, version } = parseApiVersion(apiVersion);
  return `${metadata.namespace ?? ""}/${metadata.name ?? ""}; ${group ? `${group}/` : "/"}${version}, Kind=${kind}`;
}

/** An object that nobody's writes were tracked of gets an owner of all it has, so that the first apply can't take it silently. */
function knownManagers(root: StructType, { live, apiVersion, resetFields }: Apply, time: string): Manager[] {
  const known = managersOf(live?.metadata.managedFields);
  if (known.length > 0 || !live) return known;
  const fields = withoutPaths(fieldsOfNew(root, live), resetFields ?? []);
  return [{ manager: "before-first-apply", operation: "Update", apiVersion, time, fields }];
}

/** Removes what the manager applied last time and not now, unless another manager owns it too. */
function prune(
  root: StructType,
  merged: JsonObject,
  last: FieldSet | undefined,
  managers: readonly Manager[],
): JsonObject {
  if (!last || isEmptySet(difference(last, managers[0]!.fields))) return merged;
  const named = (set: FieldSet) => withNamedFields(root, set);
  const fieldsOf = (object: JsonObject) => named(fieldsNamedIn(root, object));
  const removed = (set: FieldSet) => (removeFields(root, merged, set) ?? {}) as JsonObject;

  const all = fieldsOf(merged);
  const owned = managers.reduce<FieldSet>((set, { fields }) => union(set, fields), {});
  // First without all it applied, then with what is still owned, then with what was never its own.
  const without = removed(named(last));
  const withOwned = removed(difference(all, union(fieldsOf(without), named(owned))));
  return removed(intersection(difference(all, fieldsOf(withOwned)), named(last)));
}

function refuseConflicts(others: readonly Manager[], changed: FieldSet | undefined): void {
  if (!changed) return;
  const conflicts: Conflict[] = others.flatMap((manager) =>
    pathsOf(intersection(manager.fields, changed)).map((path) => ({ manager, path })),
  );
  if (conflicts.length > 0) throw conflictError(conflicts);
}

function withManagedFields(object: KubeObject, managers: readonly Manager[]): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  const managedFields = entriesOf(managers);
  return { ...object, metadata: managedFields ? { ...metadata, managedFields } : metadata };
}
