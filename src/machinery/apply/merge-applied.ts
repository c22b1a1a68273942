import { isObject, type JsonObject, setOwn } from "../patch/own-property.ts";
import { sameJson } from "./compare.ts";
import { mapListElement, setElement } from "./list-item.ts";
import type { MergeType, StructType } from "./merge-type.ts";

/**
 * The live object with the applied configuration laid over it; nothing is removed yet. Unchanged parts are shared, and `live` itself
 * comes back when nothing changes. A null in the configuration unsets the field.
 */
export function mergeApplied(type: StructType, live: JsonObject, applied: JsonObject): JsonObject {
  return mergeStruct((key) => type.fields.get(key)?.type ?? free, live, applied);
}

const free: MergeType = { is: "free" };

function merge(type: MergeType, live: unknown, applied: unknown): unknown {
  if (live === undefined || live === null) return applied;
  switch (type.is) {
    case "leaf":
      return kept(live, applied);
    case "struct":
      return isObject(live) && isObject(applied) ? mergeApplied(type, live, applied) : kept(live, applied);
    case "map":
    case "free": {
      const values = type.is === "map" ? type.values : free;
      return isObject(live) && isObject(applied)
        ? mergeStruct(() => values, live, applied)
        : kept(live, applied);
    }
    case "set":
      return mergeList(live, applied, setElement, (_, item) => item);
    case "mapList":
      return mergeList(
        live,
        applied,
        (item) => mapListElement(type, item) ?? JSON.stringify(item),
        (before, item) => merge(type.items, before, item),
      );
  }
}

const kept = (live: unknown, applied: unknown) => (sameJson(live, applied) ? live : applied);

function mergeStruct(typeOf: (key: string) => MergeType, live: JsonObject, applied: JsonObject): JsonObject {
  let out = live;
  for (const [key, value] of Object.entries(applied)) {
    const before = Object.hasOwn(live, key) ? live[key] : undefined;
    const after = value === null ? undefined : merge(typeOf(key), before, value);
    if (after === before) continue;
    if (out === live) out = { ...live };
    if (after === undefined) delete out[key];
    else setOwn(out, key, after);
  }
  return out;
}

/**
 * Lists whose items can be told apart: in the applied order where it says something, with the items that only the live list has
 * kept close to where they were. As structured-merge-diff orders them.
 */
function mergeList(
  live: unknown,
  applied: unknown,
  elementOf: (item: unknown) => string,
  mergeItem: (live: unknown, applied: unknown) => unknown,
): unknown {
  if (!Array.isArray(live) || !Array.isArray(applied)) return kept(live, applied);
  if (applied.length === 0) return live;
  const old = live.map(elementOf);
  const now = applied.map(elementOf);
  const position = new Map(now.map((element, at) => [element, at]));
  const before = new Map<string, unknown>();
  for (const [at, element] of old.entries()) {
    // Duplicates in the live list can't be told apart, so nothing of them is kept in the merged item.
    before.set(element, before.has(element) ? undefined : live[at]);
  }
  const shared = now.filter((element) => before.has(element));
  const merged = new Set<string>();
  const out: unknown[] = [];
  let l = 0;
  let r = 0;
  let nextShared = 0;
  const take = () => {
    const element = now[r]!;
    merged.add(element);
    out.push(mergeItem(before.get(element), applied[r]));
    if (shared[nextShared] === element) nextShared++;
    r++;
  };
  while (l < old.length || r < now.length) {
    const element = old[l];
    if (element !== undefined && r < now.length) {
      if (element === now[r]) {
        take();
        l++;
        continue;
      }
      if (position.has(element) && nextShared < shared.length && shared[nextShared] !== element) {
        l++;
        continue;
      }
    }
    if (element !== undefined) {
      if (!position.has(element)) {
        out.push(live[l]);
        l++;
        continue;
      }
      if (merged.has(element)) l++;
    }
    if (r < now.length) take();
  }
  const same =
    out.length === live.length && out.every((item, at) => item === live[at] || sameJson(item, live[at]));
  return same ? live : out;
}
