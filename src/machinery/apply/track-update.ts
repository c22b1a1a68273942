import type { KubeObject, ManagedFieldsEntry } from "../meta.ts";
import type { ObjectSchema, SchemaRegistry } from "../schema.ts";
import { formatTime } from "../time.ts";
import { compareObjects, type Difference, fieldsOfNew } from "./compare.ts";
import { difference, type FieldSet, intersection, isEmptySet, union, withoutPaths } from "./field-set.ts";
import {
  capUpdateManagers,
  entriesOf,
  isReset,
  type Manager,
  managersOf,
  parseManagers,
  sameManager,
} from "./managers.ts";
import { rootTypeOf, type StructType } from "./merge-type.ts";

/** An ordinary write (create, update, patch, a write to a subresource), as ownership sees it. */
export interface TrackedUpdate {
  type: ObjectSchema;
  registry: SchemaRegistry;
  /** The stored object; undefined for a create. */
  before: KubeObject | undefined;
  /** Decoded and defaulted, before admission and before the server's own changes: those have no owner. Not changed. */
  after: KubeObject;
  /** `?fieldManager=`, or the first part of the user agent. */
  manager: string;
  subresource?: string;
  apiVersion: string;
  nowMs: number;
  /** Paths that this endpoint does not write (`status` on the main resource): changes there are nobody's. */
  resetFields?: readonly string[];
}

/**
 * The `metadata.managedFields` that `after` must have: the writer owns what it set or changed, nobody owns what is gone. Undefined
 * for none. Does not look at clocks or change its inputs. Cheap: a create is one walk of the object, an update one walk of
 * what differs.
 *
 * Counterpart upstream: `apimachinery/pkg/util/managedfields.FieldManager.Update`.
 */
export function trackUpdate(update: TrackedUpdate): ManagedFieldsEntry[] | undefined {
  const { before, after } = update;
  const root = rootTypeOf(update.type, update.registry);
  const managers = currentManagers(update);
  // As upstream: an object whose owners were never tracked, or were reset, is left so until someone applies.
  if (managers.length === 0 && before) return undefined;
  const writer = writerOf(update);
  const changes = before ? compareObjects(root, before, after) : createdBy(root, after);
  return entriesOf(capUpdateManagers(withUpdate(managers, writer, filtered(changes, update.resetFields))));
}

function currentManagers({ before, after, subresource }: TrackedUpdate): Manager[] {
  const live = before?.metadata.managedFields;
  const sent: unknown = after.metadata.managedFields;
  // What was read and is written back unchanged needs no check.
  if (subresource || sent === undefined || sent === null || sent === live) return managersOf(live);
  if (isReset(sent)) return [];
  const parsed = parseManagers(sent);
  return parsed?.length ? parsed : managersOf(live);
}

const createdBy = (root: StructType, after: KubeObject): Difference => ({
  changed: fieldsOfNew(root, after),
  removed: undefined,
});

export function filtered(changes: Difference, resetFields: readonly string[] | undefined): Difference {
  if (!resetFields?.length) return changes;
  return {
    changed: changes.changed && withoutPaths(changes.changed, resetFields),
    removed: changes.removed && withoutPaths(changes.removed, resetFields),
  };
}

function writerOf({ manager, apiVersion, subresource, nowMs }: TrackedUpdate): Omit<Manager, "fields"> {
  return {
    manager: manager || "unknown",
    operation: "Update",
    apiVersion,
    ...(subresource && { subresource }),
    time: formatTime(nowMs),
  };
}

/** The writer takes what it changed from everyone else, and adds it to what it had. */
export function withUpdate(
  managers: readonly Manager[],
  writer: Omit<Manager, "fields">,
  changes: Difference,
): Manager[] {
  const gained = changes.changed ?? {};
  const result: Manager[] = [];
  let mine: FieldSet = gained;
  for (const manager of managers) {
    const fields = withoutChanges(manager.fields, changes);
    if (!isEmptySet(gained) && sameManager(manager, writer)) mine = union(fields, gained);
    else if (!isEmptySet(fields)) result.push({ ...manager, fields });
  }
  if (!isEmptySet(gained)) result.push({ ...writer, fields: mine });
  return result;
}

/** What a manager still owns after others changed and removed fields. */
export function withoutChanges(fields: FieldSet, { changed, removed }: Difference): FieldSet {
  const lost = changed ? intersection(fields, changed) : {};
  return difference(difference(fields, lost), removed);
}
