/*
 * Handling of JSON values: objects that were stored are frozen and shared.
 */

const plain = { configurable: true, enumerable: true, writable: true };

/** A copy of a JSON value that may be changed. Several times as fast as `structuredClone`. */
export function thaw<T>(value: T): T {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(thaw) as T;
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    // Assigning to it would set the prototype instead; it is a valid key of a ConfigMap.
    if (key === "__proto__") Object.defineProperty(copy, key, { value: thaw(value[key]), ...plain });
    else copy[key] = thaw(value[key]);
  }
  return copy as T;
}

/** Whether two JSON values say the same; the order of keys does not matter, a key that is undefined is absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key in left) if (!sameJson(left[key], right[key])) return false;
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}
