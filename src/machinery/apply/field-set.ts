import { isObject } from "../patch/own-property.ts";

/**
 * A set of fields in the very form in which `managedFields` stores it (FieldsV1), so that nothing is encoded or decoded on the
 * way. Each key is a path element: `f:name` a field, `k:{…}` a list's item by its keys, `v:…` an item of a set. An element is in
 * the set when it has nothing below it, or a `.`; one with children only is merely on the way to them. The root is never in the set.
 *
 * Values are immutable and shared; every operation returns a new set, or one of its inputs.
 *
 * Counterpart upstream: `structured-merge-diff/fieldpath.Set`.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** A set being built. */
export type FieldSetDraft = { [element: string]: FieldSet };

/** An element that is in the set and has nothing below it. */
export const leafField: FieldSet = Object.freeze({});
export const self = ".";

export const isEmptySet = (set: FieldSet | undefined): boolean => {
  if (set) for (const _ in set) return false;
  return true;
};

/** Whether an element's node (not the root) is itself in the set. */
export const isMember = (node: FieldSet): boolean => self in node || isEmptySet(node);

/** The fields in `a` or `b`. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  let out: FieldSetDraft | undefined;
  for (const element in b) {
    const ours = a[element];
    const theirs = b[element]!;
    const joined = ours === undefined ? theirs : element === self ? ours : unionNodes(ours, theirs);
    if (joined === ours) continue;
    out ??= { ...a };
    out[element] = joined;
  }
  return out ?? a;
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a)) return isEmptySet(b) || self in b ? b : { [self]: leafField, ...b };
  if (isEmptySet(b)) return self in a ? a : { [self]: leafField, ...a };
  return union(a, b);
}

/** The fields of `a` that are not in `b`. */
export function difference(a: FieldSet, b: FieldSet | undefined): FieldSet {
  if (isEmptySet(b)) return a;
  let out: FieldSetDraft | undefined;
  for (const element in b) {
    const ours = a[element];
    if (ours === undefined || element === self) continue;
    const left = differenceOfNodes(ours, b![element]!);
    if (left === ours) continue;
    out ??= { ...a };
    if (left) out[element] = left;
    else delete out[element];
  }
  return out ?? a;
}

function differenceOfNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  const taken = isMember(b);
  if (isEmptySet(a)) return taken ? undefined : a;
  const { [self]: own, ...children } = difference(a, b) as FieldSetDraft;
  return node(own !== undefined && !taken, children, a);
}

/** The fields in both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const out: FieldSetDraft = {};
  for (const element in a) {
    const theirs = b[element];
    if (theirs === undefined || element === self) continue;
    const both = intersectionOfNodes(a[element]!, theirs);
    if (both) out[element] = both;
  }
  return out;
}

function intersectionOfNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return node(isMember(a) && isMember(b), intersection(a, b) as FieldSetDraft);
}

/** A node of its two properties; undefined when it would hold nothing. `like` is returned when it is the same. */
export function node(member: boolean, children: FieldSetDraft, like?: FieldSet): FieldSet | undefined {
  if (isEmptySet(children)) return member ? leafField : undefined;
  if (like && member === self in like) {
    const keys = Object.keys(children);
    if (
      keys.length + (member ? 1 : 0) === Object.keys(like).length &&
      keys.every((key) => like[key] === children[key])
    ) {
      return like;
    }
  }
  return member ? { [self]: leafField, ...children } : children;
}

/** Without the fields at these paths (`status`, `metadata.finalizers`) and all below them. */
export function withoutPaths(set: FieldSet, paths: readonly string[]): FieldSet {
  let result = set;
  for (const path of paths) result = withoutPath(result, path.split(".")) ?? {};
  return result;
}

function withoutPath(set: FieldSet, path: readonly string[]): FieldSet | undefined {
  const element = `f:${path[0]}`;
  const child = set[element];
  if (child === undefined) return set;
  const { [element]: _, ...rest } = set;
  const left = path.length === 1 ? undefined : withoutPath(child, path.slice(1));
  if (left === child) return set;
  if (left && !isEmptySet(left)) return { ...rest, [element]: left };
  return rest;
}

/** Deeper than any object can be, and shallow enough for every walk. */
const depthMax = 200;

/**
 * A set that a client sent, checked and with its elements written our way; undefined when it is none. Elements of an unknown kind
 * are dropped, as upstream does: a later version may know them.
 */
export function parseFieldSet(value: unknown, depth = 0): FieldSet | undefined {
  if (!isObject(value) || depth > depthMax) return undefined;
  const out: FieldSetDraft = {};
  for (const [element, child] of Object.entries(value)) {
    if (element === self) {
      if (depth > 0) out[self] = leafField;
      continue;
    }
    const canonical = canonicalElement(element);
    if (canonical === "unknown") continue;
    const parsed = parseFieldSet(child, depth + 1);
    if (canonical === undefined || parsed === undefined) return undefined;
    out[canonical] = parsed;
  }
  return out;
}

function canonicalElement(element: string): string | undefined {
  if (element.length < 2 || element[1] !== ":") return undefined;
  const rest = element.slice(2);
  switch (element[0]) {
    case "f":
      return element;
    case "i":
      return /^\d+$/.test(rest) ? element : undefined;
    case "v":
    case "k":
      try {
        const value: unknown = JSON.parse(rest);
        if (element[0] === "v") return `v:${JSON.stringify(value)}`;
        if (!isObject(value)) return undefined;
        const sorted = Object.keys(value).sort();
        return `k:{${sorted.map((key) => `${JSON.stringify(key)}:${JSON.stringify(value[key])}`).join(",")}}`;
      } catch {
        return undefined;
      }
    default:
      return "unknown";
  }
}

/** The paths in the set as messages write them (`.spec.containers[name="a"].image`): members of a level before its children's. */
export function pathsOf(set: FieldSet, prefix = ""): string[] {
  const elements = Object.keys(set).filter((element) => element !== self);
  elements.sort();
  const paths = elements
    .filter((element) => isMember(set[element]!))
    .map((element) => prefix + shown(element));
  return paths.concat(elements.flatMap((element) => pathsOf(set[element]!, prefix + shown(element))));
}

function shown(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case "f":
      return `.${rest}`;
    case "v":
      return `[=${rest}]`;
    case "k":
      return `[${Object.entries(JSON.parse(rest))
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(",")}]`;
    default:
      return `[${rest}]`;
  }
}
