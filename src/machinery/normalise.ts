import { CompiledTypes } from "./compiled-types.ts";
import { normaliseScalar } from "./normalise-scalar.ts";
import type { ObjectSchema, ScalarType, Schema, SchemaRegistry } from "./schema.ts";
import { ValuePath } from "./value-path.ts";

/** After this many, more would only repeat what is wrong with the client. */
export const decodeErrorsMax = 32;

export interface Normalised {
  /** Paths of fields the type does not have; they have been removed. */
  unknown: string[];
  /** What could not be read as its field's type, in the words of Go's JSON decoder. */
  errors: string[];
}

/**
 * Brings a parsed object into the form that is stored, in place, as a round trip through Go's struct does:
 *
 * - unknown fields are collected and removed; a value of the wrong type is an error;
 * - null (and undefined, from a component of the same process), and an empty value where Go leaves it out, is removed;
 * - quantities and times become canonical.
 *
 * Defaults come later ({@link applyDefaults}). One walk; a type is compiled once for a registry.
 */
export function normalise(type: ObjectSchema, value: unknown, registry: SchemaRegistry): Normalised {
  const walk: Walk = { path: new ValuePath(), unknown: [], errors: [] };
  if (!isObject(value)) fail(walk, value, `v1.${shortName(type.name)}`, shortName(type.name));
  else normaliseObject(planOf(type, registry), value, walk);
  return { unknown: walk.unknown, errors: walk.errors };
}

interface Walk {
  path: ValuePath;
  unknown: string[];
  errors: string[];
}

/** A type, compiled: what the walk looks up for every key. */
interface ObjectPlan {
  short: string;
  fields: Map<string, ValuePlan>;
}

type ValuePlan = {
  /** Whether an empty value is the same as none. */
  dropsEmpty: boolean;
} & (
  | { op: "object"; target: ObjectPlan | undefined; resolve: () => ObjectPlan }
  | { op: "list" | "map"; items: ValuePlan; goType: string }
  | { op: "scalar"; type: ScalarType }
  | { op: "any" }
);

const plans = new CompiledTypes<ObjectPlan>();

function planOf(type: ObjectSchema, registry: SchemaRegistry): ObjectPlan {
  const known = plans.get(type, registry);
  if (known) return known;
  const plan: ObjectPlan = { short: shortName(type.name), fields: new Map() };
  plans.set(type, registry, plan);
  for (const field of type.fields.values()) {
    // With a zero as its default, the value would be put back at once.
    const dropsEmpty = !field.keepsEmpty && (field.default === undefined || !isEmpty(field.default));
    plan.fields.set(field.name, compile(field.schema, dropsEmpty, registry));
  }
  return plan;
}

function compile(schema: Schema, dropsEmpty: boolean, registry: SchemaRegistry): ValuePlan {
  switch (schema.type) {
    case "any":
      return { op: "any", dropsEmpty: false };
    case "ref":
      return {
        op: "object",
        dropsEmpty: false,
        target: undefined,
        resolve: () => planOf(registry.type(schema.name), registry),
      };
    case "object":
      return { op: "object", dropsEmpty: false, target: undefined, resolve: () => planOf(schema, registry) };
    case "list":
      return {
        op: "list",
        dropsEmpty,
        items: compile(schema.items, false, registry),
        goType: goType(schema),
      };
    case "map":
      return {
        op: "map",
        dropsEmpty,
        items: compile(schema.values, false, registry),
        goType: goType(schema),
      };
    default: {
      const isStruct = /quantity|intOrString|[tT]ime/.test(schema.type);
      return { op: "scalar", type: schema.type, dropsEmpty: dropsEmpty && !isStruct };
    }
  }
}

/** The walk removes what this stands for. */
const removed = Symbol("removed");

function normaliseObject(plan: ObjectPlan, object: Record<string, unknown>, walk: Walk): void {
  for (const key in object) {
    const field = plan.fields.get(key);
    if (field === undefined) {
      if (walk.unknown.length < decodeErrorsMax) walk.unknown.push(walk.path.text(key));
      delete object[key];
      continue;
    }
    const value = object[key];
    if (value === null || value === undefined) {
      delete object[key];
      continue;
    }
    walk.path.push(key);
    const result = normaliseValue(field, value, walk, plan.short);
    walk.path.pop();
    if (result === removed) delete object[key];
    else if (result !== value) object[key] = result;
  }
}

function normaliseValue(plan: ValuePlan, value: unknown, walk: Walk, owner: string): unknown {
  switch (plan.op) {
    case "scalar":
      if (plan.dropsEmpty && (value === "" || value === 0 || value === false) && isOfType(value, plan.type))
        return removed;
      return normaliseScalar(plan.type, value, (got, goType, detail) =>
        fail(walk, got, goType, owner, detail),
      );
    case "object": {
      plan.target ??= plan.resolve();
      if (!isObject(value)) return fail(walk, value, `v1.${plan.target.short}`, owner);
      normaliseObject(plan.target, value, walk);
      return value;
    }
    case "list":
      if (!Array.isArray(value)) return fail(walk, value, plan.goType, owner);
      if (value.length === 0 && plan.dropsEmpty) return removed;
      normaliseList(plan.items, value, walk, owner);
      return value;
    case "map":
      if (!isObject(value)) return fail(walk, value, plan.goType, owner);
      return normaliseMap(plan.items, value, walk, owner) === 0 && plan.dropsEmpty ? removed : value;
    case "any":
      return value;
  }
}

function normaliseList(items: ValuePlan, list: unknown[], walk: Walk, owner: string): void {
  for (let i = 0; i < list.length; i++) {
    const value = list[i] ?? zeroOf(items);
    walk.path.push(i);
    const result = value === null ? null : normaliseValue(items, value, walk, owner);
    walk.path.pop();
    if (result !== removed && result !== list[i]) list[i] = result;
  }
}

/** Returns how many entries the map has. */
function normaliseMap(items: ValuePlan, map: Record<string, unknown>, walk: Walk, owner: string): number {
  let count = 0;
  for (const key in map) {
    count++;
    const value = map[key] ?? zeroOf(items);
    // Maps of strings are most of all maps, and have nothing to normalise.
    if (typeof map[key] === "string" && items.op === "scalar" && items.type === "string") continue;
    walk.path.push({ key });
    const result = value === null ? null : normaliseValue(items, value, walk, owner);
    walk.path.pop();
    if (result !== removed && result !== map[key]) map[key] = result;
  }
  return count;
}

/** What null in a list or a map is read as. */
function zeroOf(plan: ValuePlan): unknown {
  switch (plan.op) {
    case "object":
    case "map":
      return {};
    case "list":
      return [];
    case "any":
      return null;
    case "scalar":
      if (plan.type === "boolean") return false;
      if (plan.type === "quantity") return "0";
      if (plan.type === "time" || plan.type === "microTime") return null;
      return plan.type === "string" || plan.type === "bytes" ? "" : 0;
  }
}

function isOfType(value: unknown, type: ScalarType): boolean {
  if (type === "string" || type === "bytes") return value === "";
  return type === "boolean" ? value === false : value === 0;
}

/** Notes a value of the wrong type; the value is dropped. */
function fail(walk: Walk, got: unknown, goType: string, owner: string, detail?: string): typeof removed {
  if (walk.errors.length >= decodeErrorsMax) return removed;
  const fields = walk.path.fields();
  walk.errors.push(
    detail ??
      (fields === ""
        ? `json: cannot unmarshal ${goKind(got, goType)} into Go value of type ${goType}`
        : `json: cannot unmarshal ${goKind(got, goType)} into Go struct field ${owner}.${fields} of type ${goType}`),
  );
  return removed;
}

function goKind(value: unknown, goType: string): string {
  if (Array.isArray(value)) return "array";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return goType.startsWith("int") ? `number ${value}` : "number";
    default:
      return typeof value;
  }
}

function goType(schema: Schema): string {
  switch (schema.type) {
    case "ref":
    case "object":
      return `v1.${shortName(schema.name)}`;
    case "list":
      return `[]${goType(schema.items)}`;
    case "map":
      return `map[string]${goType(schema.values)}`;
    case "boolean":
      return "bool";
    case "double":
      return "float64";
    case "bytes":
      return "[]uint8";
    case "quantity":
      return "resource.Quantity";
    default:
      return schema.type === "any" ? "interface {}" : schema.type;
  }
}

const shortName = (name: string) => name.slice(name.lastIndexOf(".") + 1);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** As Go's `omitempty` has it. */
function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === "" || value === 0 || value === false;
}
