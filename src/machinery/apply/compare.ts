import { isObject, type JsonObject } from "../patch/own-property.ts";
import { type FieldSet, type FieldSetDraft, isEmptySet, leafField, self } from "./field-set.ts";
import { mapListElement, setElement } from "./list-item.ts";
import type { MapListType, MergeType, StructType } from "./merge-type.ts";

/** What an update did: fields that are new or have another value, and fields that are gone. */
export interface Difference {
  changed: FieldSet | undefined;
  removed: FieldSet | undefined;
}

/**
 * The fields that making `object` set. What an empty object has anyway (`spec`, but not `metadata.labels`) is not counted, but for
 * what stands in it.
 */
export function fieldsOfNew(type: StructType, object: JsonObject): FieldSet {
  return fieldsOfObject(type, object, "present") ?? {};
}

/** Whether the value's place existed before, as an empty struct does. */
type Place = "present" | "new";

/** The fields of a value that was not there before; undefined when there are none. */
function fieldsOf(type: MergeType, value: unknown, place: Place): FieldSet | undefined {
  switch (type.is) {
    case "leaf":
      return leafField;
    case "struct":
      return isObject(value) ? fieldsOfObject(type, value, place) : leafField;
    case "map":
      return isObject(value) ? fieldsOfMap(type.values, value) : leafField;
    case "free":
      return isObject(value) ? fieldsOfMap(type, value) : leafField;
    case "set":
      return Array.isArray(value) ? fieldsOfSet(value) : leafField;
    case "mapList":
      return Array.isArray(value) ? fieldsOfMapList(type, value, place) : leafField;
  }
}

const free: MergeType = { is: "free" };

function fieldsOfObject(type: StructType, object: JsonObject, place: Place): FieldSet | undefined {
  const out: FieldSetDraft = place === "new" ? { [self]: leafField } : {};
  let empty = true;
  for (const key in object) {
    const value = object[key];
    if (value === null || value === undefined) continue;
    const field = type.fields.get(key);
    if (field?.unowned) continue;
    empty = false;
    if (field === undefined) {
      out[`f:${key}`] = fieldsOf(free, value, "new")!;
      continue;
    }
    const stands: Place = place === "present" && field.alwaysPresent ? "present" : "new";
    if (stands === "present" && value === field.default) continue;
    const fields = fieldsOf(field.type, value, stands);
    if (fields) out[field.element] = fields;
  }
  if (place === "new") return empty ? leafField : out;
  return isEmptySet(out) ? undefined : out;
}

function fieldsOfMap(values: MergeType, object: JsonObject): FieldSet {
  const out: FieldSetDraft = { [self]: leafField };
  let empty = true;
  for (const key in object) {
    const value = object[key];
    if (value === null || value === undefined) continue;
    empty = false;
    out[`f:${key}`] = fieldsOf(values, value, "new")!;
  }
  return empty ? leafField : out;
}

function fieldsOfSet(items: readonly unknown[]): FieldSet {
  if (items.length === 0) return leafField;
  const out: FieldSetDraft = { [self]: leafField };
  for (const item of items) out[setElement(item)] = leafField;
  return out;
}

function fieldsOfMapList(type: MapListType, items: readonly unknown[], place: Place): FieldSet | undefined {
  if (items.length === 0) return place === "present" ? undefined : leafField;
  const out: FieldSetDraft = place === "new" ? { [self]: leafField } : {};
  for (const item of items) {
    const element = mapListElement(type, item);
    if (element === undefined) continue;
    // Items that share their keys can't be told apart: the group has one owner.
    out[element] = element in out ? leafField : fieldsOf(type.items, item, "new")!;
  }
  return out;
}

/** Compares two states of an object, both decoded: no nulls matter. */
export function compareObjects(type: StructType, before: JsonObject, after: JsonObject): Difference {
  return compareStructs(type, before, after) ?? { changed: undefined, removed: undefined };
}

function compare(type: MergeType, before: unknown, after: unknown): Difference | undefined {
  if (before === after) return undefined;
  if (before === undefined || before === null) {
    if (after === undefined || after === null) return undefined;
    return { changed: fieldsOf(type, after, "new"), removed: undefined };
  }
  if (after === undefined || after === null) {
    return { changed: undefined, removed: fieldsOf(type, before, "new") };
  }
  switch (type.is) {
    case "leaf":
      return sameJson(before, after) ? undefined : leafChanged;
    case "struct":
      if (isObject(before) && isObject(after)) return compareStructs(type, before, after);
      break;
    case "map":
      if (isObject(before) && isObject(after)) return compareMaps(type.values, before, after);
      break;
    case "free":
      if (isObject(before) && isObject(after)) return compareMaps(type, before, after);
      break;
    case "set":
      if (Array.isArray(before) && Array.isArray(after)) return compareSets(before, after);
      break;
    case "mapList":
      if (Array.isArray(before) && Array.isArray(after)) return compareMapLists(type, before, after);
  }
  if (sameJson(before, after)) return undefined;
  // Another shape: all of the old is gone, all of the new is new.
  return {
    changed: fieldsOf(type, after, "new"),
    removed: isObject(before) ? childrenOf(type, before) : undefined,
  };
}

const leafChanged: Difference = { changed: leafField, removed: undefined };

function childrenOf(type: MergeType, value: JsonObject): FieldSet | undefined {
  const { [self]: _, ...children } = fieldsOf(type, value, "new") ?? {};
  return isEmptySet(children) ? undefined : children;
}

/** Gathers the differences of an object's or list's parts. */
class Gathered implements Difference {
  changed: FieldSetDraft | undefined;
  removed: FieldSetDraft | undefined;

  add(element: string, difference: Difference | undefined): void {
    if (difference?.changed) {
      this.changed ??= {};
      this.changed[element] = difference.changed;
    }
    if (difference?.removed) {
      this.removed ??= {};
      this.removed[element] = difference.removed;
    }
  }

  get result(): Difference | undefined {
    return this.changed || this.removed ? this : undefined;
  }
}

function compareStructs(type: StructType, before: JsonObject, after: JsonObject): Difference | undefined {
  const gathered = new Gathered();
  for (const key in after) compareField(type, key, before[key], after[key], gathered);
  for (const key in before) {
    if (!(key in after)) compareField(type, key, before[key], undefined, gathered);
  }
  return gathered.result;
}

function compareField(
  type: StructType,
  key: string,
  before: unknown,
  after: unknown,
  gathered: Gathered,
): void {
  if (before === after) return;
  const field = type.fields.get(key);
  if (field?.unowned) return;
  const element = field?.element ?? `f:${key}`;
  if (!field?.alwaysPresent || isSet(before) === isSet(after)) {
    gathered.add(element, compare(field?.type ?? free, before, after));
    return;
  }
  // Present and empty on the one side, though JSON does not show it.
  const value = isSet(after) ? after : before;
  if (value === field.default) return;
  const fields = fieldsOf(field.type, value, "present");
  gathered.add(
    element,
    isSet(after) ? { changed: fields, removed: undefined } : { changed: undefined, removed: fields },
  );
}

const isSet = (value: unknown) => value !== undefined && value !== null;

function compareMaps(values: MergeType, before: JsonObject, after: JsonObject): Difference | undefined {
  const gathered = new Gathered();
  for (const key in after) gathered.add(`f:${key}`, compare(values, before[key], after[key]));
  for (const key in before) {
    if (!(key in after)) gathered.add(`f:${key}`, compare(values, before[key], undefined));
  }
  return gathered.result;
}

function compareSets(before: readonly unknown[], after: readonly unknown[]): Difference | undefined {
  const gathered = new Gathered();
  const old = new Set(before.map(setElement));
  const now = new Set(after.map(setElement));
  for (const element of now) if (!old.has(element)) gathered.add(element, leafChanged);
  for (const element of old) if (!now.has(element)) gathered.add(element, leafRemoved);
  return gathered.result;
}

const leafRemoved: Difference = { changed: undefined, removed: leafField };

function compareMapLists(
  type: MapListType,
  before: readonly unknown[],
  after: readonly unknown[],
): Difference | undefined {
  const gathered = new Gathered();
  const old = groupByElement(type, before);
  const now = groupByElement(type, after);
  for (const [element, items] of now)
    gathered.add(element, compareItems(type.items, old.get(element) ?? [], items));
  for (const [element, items] of old) {
    if (!now.has(element)) gathered.add(element, compareItems(type.items, items, []));
  }
  return gathered.result;
}

/** Items that share their keys are one leaf: only the group as a whole changes, appears or goes. */
function compareItems(
  type: MergeType,
  before: readonly unknown[],
  after: readonly unknown[],
): Difference | undefined {
  if (before.length <= 1 && after.length <= 1) return compare(type, before[0], after[0]);
  if (before.length > 1 && after.length > 1) return sameJson(before, after) ? undefined : leafChanged;
  if (before.length > 1) {
    return { changed: after.length ? fieldsOf(type, after[0], "new") : undefined, removed: leafField };
  }
  const removed = before.length ? fieldsOf(type, before[0], "new") : undefined;
  return { changed: leafField, removed: removed && !isEmptySet(removed) ? removed : undefined };
}

function groupByElement(type: MapListType, items: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const item of items) {
    const element = mapListElement(type, item);
    if (element === undefined) continue;
    const group = groups.get(element);
    if (group) group.push(item);
    else groups.set(element, [item]);
  }
  return groups;
}

/** Equality of JSON values, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  }
  if (Array.isArray(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every(
    (key) => Object.hasOwn(b, key) && sameJson((a as JsonObject)[key], (b as JsonObject)[key]),
  );
}
