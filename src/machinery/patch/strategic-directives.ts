import { mapShared } from "./merge-patch.ts";
import { isObject, type JsonObject, setOwn } from "./own-property.ts";

/** The marker in an object or list item: `replace` or `delete`. */
export const directive = "$patch";
export const elementOrderPrefix = "$setElementOrder/";
export const primitiveDeletionPrefix = "$deleteFromPrimitiveList/";

const isDirectiveKey = (key: string) =>
  key === "$retainKeys" || key.startsWith(elementOrderPrefix) || key.startsWith(primitiveDeletionPrefix);

/**
 * A subtree that has nothing to merge with: without nulls and directives. An object with `$patch` vanishes, as upstream's
 * `removeDirectives` has it: there is nothing to replace or delete. Undefined when nothing is left.
 */
export function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    const kept = value.filter((item) => !(isObject(item) && directive in item));
    return mapShared(kept.length === value.length ? value : kept, withoutDirectives);
  }
  if (!isObject(value)) return value;
  if (directive in value) return undefined;
  let result: JsonObject | undefined;
  for (const [key, child] of Object.entries(value)) {
    const kept = child === null || isDirectiveKey(key) ? undefined : withoutDirectives(child);
    if (kept === child) continue;
    result ??= { ...value };
    if (kept === undefined) delete result[key];
    else setOwn(result, key, kept);
  }
  return result ?? value;
}
