import { CompiledTypes } from "./compiled-types.ts";
import type { ObjectSchema, Schema, SchemaRegistry } from "./schema.ts";

/**
 * Fills in the schema's own defaults, in place: what a field has when nobody gives it a value. Defaults that depend
 * on other fields are the kind's (`Strategy.applyDefaults`), and run after these. `value` is normalised.
 */
export function applyDefaults(type: ObjectSchema, value: object, registry: SchemaRegistry): void {
  const plan = planOf(type, registry);
  if (plan.needed) defaultObject(plan, value as Record<string, unknown>);
}

interface Plan {
  /** Whether the type, or one under it, has a default; else the walk passes it by. */
  needed: boolean;
  values: { name: string; value: unknown }[];
  /** Fields to go down into. */
  children: { name: string; shape: Shape; plan: Plan }[];
}
/** How the objects stand in a field: itself one, a list or map of them, or deeper. */
type Shape = "object" | "list" | "map" | { outer: "list" | "map"; inner: Shape };

const plans = new CompiledTypes<Plan>();

function planOf(type: ObjectSchema, registry: SchemaRegistry): Plan {
  const known = plans.get(type, registry);
  if (known) return known;
  // A type that contains itself is taken as needed while it is being compiled: a walk too many, never one too few.
  const plan: Plan = { needed: true, values: [], children: [] };
  plans.set(type, registry, plan);
  for (const field of type.fields.values()) {
    if (field.default !== undefined) plan.values.push({ name: field.name, value: field.default });
    const inner = innermost(field.schema, registry);
    if (inner) {
      const child = planOf(inner.type, registry);
      if (child.needed) plan.children.push({ name: field.name, shape: inner.shape, plan: child });
    }
  }
  plan.needed = plan.values.length > 0 || plan.children.length > 0;
  return plan;
}

function innermost(
  schema: Schema,
  registry: SchemaRegistry,
): { type: ObjectSchema; shape: Shape } | undefined {
  if (schema.type === "ref") return { type: registry.type(schema.name), shape: "object" };
  if (schema.type === "object") return { type: schema, shape: "object" };
  if (schema.type !== "list" && schema.type !== "map") return undefined;
  const inner = innermost(schema.type === "list" ? schema.items : schema.values, registry);
  if (!inner) return undefined;
  const shape = inner.shape === "object" ? schema.type : { outer: schema.type, inner: inner.shape };
  return { type: inner.type, shape };
}

function defaultObject(plan: Plan, object: Record<string, unknown>): void {
  for (const { name, value } of plan.values) {
    if (object[name] === undefined) object[name] = typeof value === "object" ? structuredClone(value) : value;
  }
  for (const { name, shape, plan: child } of plan.children) {
    const value = object[name];
    if (value !== undefined) descend(shape, child, value);
  }
}

function descend(shape: Shape, plan: Plan, value: unknown): void {
  if (shape === "object") defaultObject(plan, value as Record<string, unknown>);
  else if (shape === "list") for (const item of value as Record<string, unknown>[]) defaultObject(plan, item);
  else if (shape === "map")
    for (const item of Object.values(value as Record<string, Record<string, unknown>>))
      defaultObject(plan, item);
  else for (const item of Object.values(value as Record<string, unknown>)) descend(shape.inner, plan, item);
}
