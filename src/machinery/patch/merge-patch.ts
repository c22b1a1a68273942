import { isObject, type JsonObject, setOwn } from "./own-property.ts";
import { malformedPatch } from "./patch-error.ts";

/**
 * Applies an RFC 7386 merge patch and returns the new object. Neither input is changed; what the patch leaves alone is shared,
 * and an object that it does not change is returned as it was. Throws a 400 `StatusError` for a patch that is not an object.
 */
export function mergePatch(object: unknown, patch: unknown): any {
  if (!isObject(patch)) throw malformedPatch("Invalid JSON Patch");
  return merge(object, patch);
}

function merge(object: unknown, patch: unknown): unknown {
  if (!isObject(patch) || !isObject(object)) return withoutNulls(patch);
  let result = object;
  for (const [key, value] of Object.entries(patch)) {
    const present = Object.hasOwn(object, key);
    if (value === null) {
      if (!present) continue;
      if (result === object) result = { ...object };
      delete result[key];
      continue;
    }
    const merged = present ? merge(object[key], value) : withoutNulls(value);
    if (present && merged === object[key]) continue;
    if (result === object) result = { ...object };
    setOwn(result, key, merged);
  }
  return result;
}

/** A null in a new subtree removes nothing and is not kept. As evanphx/json-patch, also within lists, whose own nulls stay. */
export function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return mapShared(value, withoutNulls);
  if (!isObject(value)) return value;
  let result: JsonObject | undefined;
  for (const [key, child] of Object.entries(value)) {
    const kept = child === null ? undefined : withoutNulls(child);
    if (kept === child) continue;
    result ??= { ...value };
    if (kept === undefined) delete result[key];
    else setOwn(result, key, kept);
  }
  return result ?? value;
}

/** `list.map(fn)`, but the same list when nothing changed. */
export function mapShared(list: readonly unknown[], fn: (item: unknown) => unknown): readonly unknown[] {
  let result: unknown[] | undefined;
  list.forEach((item, at) => {
    const mapped = fn(item);
    if (mapped === item) return;
    result ??= [...list];
    result[at] = mapped;
  });
  return result ?? list;
}
