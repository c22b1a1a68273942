import { isObject, type JsonObject } from "./own-property.ts";
import { malformedPatch, patchDoesNotApply } from "./patch-error.ts";
import { directive, withoutDirectives } from "./strategic-directives.ts";
import { type ListPlace, mergeObject } from "./strategic-merge-patch.ts";

/** Merges a patch's list into the live one: item by item where the field says so, else the patch's list takes its place. */
export function mergeList(live: readonly unknown[], patch: readonly unknown[], list: ListPlace): unknown[] {
  if (!list.semantics?.merge) return [...patch];
  if (live.length === 0 && patch.length === 0) return [...live];
  const { merged, effectiveLive, effectivePatch } = mergeItems(live, patch, list);
  return inOrder(merged, effectivePatch, effectiveLive, identityOf(merged, list));
}

/** As {@link mergeList}, with the order that the client wants: its items in that order, and those only the server knows in between. */
export function orderBySetElementOrder(input: {
  live: unknown[] | undefined;
  patched: unknown[] | undefined;
  order: unknown[];
  list: ListPlace;
}): unknown[] {
  const { live, patched, order, list } = input;
  elementsOfOneType([...(live ?? []), ...(patched ?? [])]);
  checkOrder(patched ?? [], order, list);
  const merged =
    live && patched ? mergeList(live, patched, list) : (live ?? (withoutDirectives(patched) as unknown[]));
  return inOrder(merged, order, live ?? [], identityOf([...merged, ...order], list));
}

/** `$deleteFromPrimitiveList`. */
export function deletePrimitives(live: readonly unknown[], values: readonly unknown[]): unknown[] {
  const gone = new Set(values);
  return live.filter((item) => !gone.has(item));
}

function mergeItems(live: readonly unknown[], patch: readonly unknown[], list: ListPlace) {
  if (elementsOfOneType([...live, ...patch]) !== "object") {
    return { merged: [...new Set([...live, ...patch])], effectiveLive: live, effectivePatch: patch };
  }
  const mergeKey = list.semantics?.mergeKey;
  if (!mergeKey) throw malformedPatch(`cannot merge lists without merge key for ${list.name}`);
  return mergeObjects(live as JsonObject[], patch as JsonObject[], mergeKey, list);
}

function mergeObjects(
  live: readonly JsonObject[],
  patch: readonly JsonObject[],
  mergeKey: string,
  list: ListPlace,
) {
  const plain: JsonObject[] = [];
  let base = live;
  let replace = false;
  for (const item of patch) {
    if (!(directive in item)) {
      plain.push(item);
    } else if (item[directive] === "delete") {
      const gone = keyOf(item, mergeKey);
      base = base.filter((other) => other[mergeKey] !== gone);
    } else if (item[directive] === "replace") {
      replace = true;
    } else if (item[directive] === "merge") {
      throw malformedPatch("merging lists cannot yet be specified in the patch");
    } else {
      throw malformedPatch(`unknown patch type: ${String(item[directive])} in map`);
    }
  }
  // `- $patch: replace` anywhere in the list: what stays is the rest of the patch.
  if (replace) return { merged: plain, effectiveLive: plain, effectivePatch: [] as JsonObject[] };

  const merged = [...base];
  const positions = new Map<unknown, number>();
  for (let at = merged.length - 1; at >= 0; at--) positions.set(merged[at]![mergeKey], at);
  for (const item of plain) {
    const key = keyOf(item, mergeKey);
    const at = positions.get(key);
    if (at === undefined) {
      positions.set(key, merged.length);
      merged.push(withoutDirectives(item) as JsonObject);
    } else {
      merged[at] = mergeObject(merged[at]!, item, list.items);
    }
  }
  return { merged, effectiveLive: base, effectivePatch: plain };
}

/**
 * The merged items in the order of the client's list, with the items that it does not name kept in their live order, each placed
 * before the first client's item that follows it in the live list. As upstream's `normalizeElementOrder`.
 */
function inOrder(
  merged: readonly unknown[],
  clientOrder: readonly unknown[],
  liveOrder: readonly unknown[],
  identity: (item: unknown) => unknown,
): unknown[] {
  const clientAt = positionsOf(clientOrder, identity);
  const liveAt = positionsOf(liveOrder, identity);
  const byClient = (item: unknown) => clientAt.get(identity(item));
  const byLive = (item: unknown) => liveAt.get(identity(item)) ?? Number.MAX_SAFE_INTEGER;
  const clients = merged.filter((item) => byClient(item) !== undefined);
  clients.sort((a, b) => byClient(a)! - byClient(b)!);
  const servers = merged.filter((item) => byClient(item) === undefined);
  servers.sort((a, b) => byLive(a) - byLive(b));

  const result: unknown[] = [];
  let server = 0;
  for (const item of clients) {
    const place = liveAt.get(identity(item));
    while (server < servers.length && place !== undefined && byLive(servers[server]) < place) {
      result.push(servers[server++]);
    }
    result.push(item);
  }
  return result.concat(servers.slice(server));
}

function positionsOf(items: readonly unknown[], identity: (item: unknown) => unknown): Map<unknown, number> {
  const positions = new Map<unknown, number>();
  items.forEach((item, at) => {
    const id = identity(item);
    if (!positions.has(id)) positions.set(id, at);
  });
  return positions;
}

/** What tells items apart: the merge key's value, or the primitive itself. */
function identityOf(items: readonly unknown[], list: ListPlace): (item: unknown) => unknown {
  const mergeKey = list.semantics?.mergeKey;
  if (!mergeKey || !items.some(isObject)) return (item) => item;
  return (item) => (isObject(item) ? keyOf(item, mergeKey) : item);
}

/** The items of the patch must stand in `$setElementOrder`, in the same order. */
function checkOrder(patched: readonly unknown[], order: readonly unknown[], list: ListPlace): void {
  if (patched.length === 0 || order.length === 0) return;
  const identity = identityOf(patched, list);
  let at = 0;
  for (const item of patched) {
    if (isObject(item) && directive in item) continue;
    const id = identity(item);
    while (at < order.length && identity(order[at]) !== id) at++;
    if (at === order.length) {
      throw malformedPatch(`The order in patch list doesn't match $setElementOrder list of ${list.name}`);
    }
    at++;
  }
}

function keyOf(item: JsonObject, mergeKey: string): unknown {
  const key = item[mergeKey];
  if (key === undefined) {
    throw malformedPatch(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
  }
  return key;
}

/** The type that all items have; a patch can't mix them. */
function elementsOfOneType(items: readonly unknown[]): string | undefined {
  let type: string | undefined;
  for (const item of items) {
    if (Array.isArray(item)) throw patchDoesNotApply("lists of lists are not supported");
    const own = item === null ? "null" : typeof item;
    if (type !== undefined && own !== type)
      throw malformedPatch(`list element types are not identical: ${type} and ${own}`);
    type = own;
  }
  return type;
}
