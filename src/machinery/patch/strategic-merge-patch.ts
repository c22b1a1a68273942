import type { Field, ListSemantics, ObjectSchema, Schema, SchemaRegistry } from "../schema.ts";
import { isObject, type JsonObject, setOwn } from "./own-property.ts";
import { malformedPatch } from "./patch-error.ts";
import {
  directive,
  elementOrderPrefix,
  primitiveDeletionPrefix,
  withoutDirectives,
} from "./strategic-directives.ts";
import { deletePrimitives, mergeList, orderBySetElementOrder } from "./strategic-list.ts";

/**
 * Applies a strategic merge patch: as a merge patch, but lists whose field has a merge key (or merges primitives) are merged item
 * by item, and directives (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) say what a plain document
 * can't. Neither input is changed; what the patch leaves alone is shared. Throws a `StatusError`: 400 for a malformed patch, 422
 * for one that can't be applied.
 *
 * Counterpart upstream: `k8s.io/apimachinery/pkg/util/strategicpatch`. One difference: what upstream answers with a bare 500 (a list
 * item without its merge key, say) is a 400 here, since the client can mend it.
 */
export function strategicMergePatch(
  type: ObjectSchema,
  object: unknown,
  patch: unknown,
  registry: SchemaRegistry,
): any {
  if (!isObject(patch)) throw malformedPatch("a strategic merge patch must be an object");
  return mergeObject(isObject(object) ? object : {}, patch, { schema: type, registry });
}

/** Where in the types a merge stands. `schema` is undefined below what has no type. */
export interface Place {
  schema: Schema | undefined;
  registry: SchemaRegistry;
}

export function mergeObject(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
  if (directive in patch) return replaced(patch);
  const result = retained(original, patch);
  const handled = mergeOrderedLists(result, patch, place);
  for (const [key, value] of Object.entries(patch)) {
    if (handled.has(key) || key === retainKeysDirective) continue;
    if (key.startsWith(primitiveDeletionPrefix)) {
      removePrimitives(result, key.slice(primitiveDeletionPrefix.length), value);
    } else if (value === null) {
      delete result[key];
    } else {
      mergeField(result, key, value, place);
    }
  }
  return result;
}

/** `$patch: replace` or `delete` on an object. */
function replaced(patch: JsonObject): JsonObject {
  const { [directive]: kind, ...rest } = patch;
  if (kind === "replace") return rest;
  if (kind === "delete") return {};
  throw malformedPatch(`unknown patch type: ${String(kind)} in map`);
}

const retainKeysDirective = "$retainKeys";
const retainKeysMalformed = "invalid patch format of retainKeys";

/** A shallow copy of the original, less the keys that `$retainKeys` does not name. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch[retainKeysDirective];
  if (keys === undefined) return { ...original };
  if (!Array.isArray(keys)) throw malformedPatch(retainKeysMalformed);
  const kept = new Set<unknown>(keys);
  for (const [key, value] of Object.entries(patch)) {
    const isDirective =
      key === retainKeysDirective ||
      key.startsWith(primitiveDeletionPrefix) ||
      key.startsWith(elementOrderPrefix);
    if (value !== null && !isDirective && !kept.has(key)) throw malformedPatch(retainKeysMalformed);
  }
  const result: JsonObject = {};
  for (const [key, value] of Object.entries(original)) if (kept.has(key)) setOwn(result, key, value);
  return result;
}

/** Merges each list that comes with a `$setElementOrder/…`, and returns the keys of the patch that are thereby done. */
function mergeOrderedLists(result: JsonObject, patch: JsonObject, place: Place): Set<string> {
  const handled = new Set<string>();
  for (const [directiveKey, order] of Object.entries(patch)) {
    if (!directiveKey.startsWith(elementOrderPrefix)) continue;
    handled.add(directiveKey);
    const key = directiveKey.slice(elementOrderPrefix.length);
    if (!Array.isArray(order)) throw malformedPatch("invalid patch format of setElementOrder list");
    const live = listOrAbsent(result[key], key);
    const patched = listOrAbsent(patch[key], key);
    const list = listPlace(key, place);
    if (!live && !patched) continue;
    setOwn(result, key, orderBySetElementOrder({ live, patched, order, list }));
    handled.add(key);
  }
  return handled;
}

function listOrAbsent(value: unknown, key: string): unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value))
    throw malformedPatch(`expected a list in ${key}, but received a ${typeof value}`);
  return value;
}

function removePrimitives(result: JsonObject, key: string, values: unknown): void {
  if (key === "" || key.startsWith("$")) throw malformedPatch("invalid patch format of primitive list");
  if (values === null) {
    delete result[key];
    return;
  }
  const live = result[key];
  if (!Array.isArray(live)) return;
  if (!Array.isArray(values)) throw malformedPatch("invalid patch format of primitive list");
  result[key] = deletePrimitives(live, values);
}

function mergeField(result: JsonObject, key: string, value: unknown, place: Place): void {
  const live = Object.hasOwn(result, key) ? result[key] : undefined;
  if (isObject(live) && isObject(value)) {
    const { schema } = fieldPlace(key, place);
    setOwn(result, key, mergeObject(live, value, { schema, registry: place.registry }));
  } else if (Array.isArray(live) && Array.isArray(value)) {
    setOwn(result, key, mergeList(live, value, listPlace(key, place)));
  } else {
    const kept = withoutDirectives(value);
    if (kept === undefined) delete result[key];
    else setOwn(result, key, kept);
  }
}

/** What a merge of lists must know of its field. */
export interface ListPlace {
  name: string;
  items: Place;
  semantics: ListSemantics | undefined;
}

function listPlace(key: string, place: Place): ListPlace {
  const { schema } = fieldPlace(key, place);
  if (schema?.type !== "list") {
    if (schema && schema.type !== "any")
      throw malformedPatch(`expected a list type for ${key}, but it is ${schema.type}`);
    return { name: key, items: { schema: undefined, registry: place.registry }, semantics: undefined };
  }
  return {
    name: key,
    items: { schema: schema.items, registry: place.registry },
    semantics: schema.list,
  };
}

function fieldPlace(key: string, { schema, registry }: Place): Place {
  const resolved = resolve(schema, registry);
  switch (resolved?.type) {
    case "object": {
      const field: Field | undefined = resolved.fields.get(key);
      if (!field)
        throw malformedPatch(
          `unable to find api field in struct ${resolved.name} for the json field ${JSON.stringify(key)}`,
        );
      return { schema: resolve(field.schema, registry), registry };
    }
    case "map":
      return { schema: resolve(resolved.values, registry), registry };
    default:
      return { schema: undefined, registry };
  }
}

function resolve(
  schema: Schema | undefined,
  registry: SchemaRegistry,
): Exclude<Schema, { type: "ref" }> | undefined {
  return schema?.type === "ref" ? registry.type(schema.name) : schema;
}
