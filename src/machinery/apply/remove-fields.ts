import { isObject, type JsonObject, setOwn } from "../patch/own-property.ts";
import { type FieldSet, type FieldSetDraft, isEmptySet, isMember, leafField, self } from "./field-set.ts";
import { mapListElement, setElement } from "./list-item.ts";
import type { MergeType } from "./merge-type.ts";

const free: MergeType = { is: "free" };

/** `value` without the fields in `fields`; undefined when nothing is left of it. Unchanged parts are shared. */
export function removeFields(type: MergeType, value: unknown, fields: FieldSet): unknown {
  if (isEmptySet(fields)) return value;
  switch (type.is) {
    case "leaf":
      return undefined;
    case "struct":
      return isObject(value)
        ? removeFromObject((key) => type.fields.get(key)?.type ?? free, value, fields)
        : undefined;
    case "map":
      return isObject(value) ? removeFromObject(() => type.values, value, fields) : undefined;
    case "free":
      return isObject(value) ? removeFromObject(() => free, value, fields) : undefined;
    case "set":
      return removeFromList(value, fields, setElement, free);
    case "mapList":
      return removeFromList(value, fields, (item) => mapListElement(type, item), type.items);
  }
}

function removeFromObject(
  typeOf: (key: string) => MergeType,
  object: JsonObject,
  fields: FieldSet,
): JsonObject | undefined {
  let out = object;
  for (const key of Object.keys(object)) {
    const node = fields[`f:${key}`];
    if (node === undefined) continue;
    const left = isMember(node) ? undefined : removeFields(typeOf(key), object[key], node);
    if (left === object[key]) continue;
    if (out === object) out = { ...object };
    if (left === undefined) delete out[key];
    else setOwn(out, key, left);
  }
  return out !== object && Object.keys(out).length === 0 ? undefined : out;
}

function removeFromList(
  list: unknown,
  fields: FieldSet,
  elementOf: (item: unknown) => string | undefined,
  items: MergeType,
): unknown {
  if (!Array.isArray(list)) return undefined;
  const out: unknown[] = [];
  for (const item of list) {
    const element = elementOf(item);
    const node = element === undefined ? undefined : fields[element];
    if (node === undefined) out.push(item);
    else if (!isMember(node)) out.push(removeFields(items, item, node) ?? {});
  }
  if (out.length === 0) return undefined;
  return out.length === list.length && out.every((item, at) => item === list[at]) ? list : out;
}

/** The set with every declared field on the way to its members made a member too, so that a removal takes an emptied parent along. */
export function withNamedFields(type: MergeType, set: FieldSet): FieldSet {
  const out: FieldSetDraft = {};
  for (const element in set) {
    const child = set[element]!;
    if (element === self || isEmptySet(child)) {
      out[element] = child;
      continue;
    }
    const { type: below, declared } = childType(type, element);
    const inner = withNamedFields(below, child);
    out[element] = declared && !(self in inner) ? { [self]: leafField, ...inner } : inner;
  }
  return out;
}

function childType(type: MergeType, element: string): { type: MergeType; declared: boolean } {
  switch (type.is) {
    case "struct": {
      const field = type.fields.get(element.slice(2));
      return { type: field?.type ?? free, declared: field !== undefined && !field.holdsUnowned };
    }
    case "map":
      return { type: type.values, declared: false };
    case "mapList":
      return { type: type.items, declared: false };
    default:
      return { type: free, declared: false };
  }
}
