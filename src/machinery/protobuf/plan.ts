import { CompiledTypes } from "../compiled-types.ts";
import type { ObjectSchema, ScalarType, Schema, SchemaRegistry } from "../schema.ts";

/** A type, compiled for the codec: fields by number. */
export interface MessagePlan {
  /** In the order of writing. */
  fields: FieldPlan[];
  byNumber: Map<number, FieldPlan>;
}

export type FieldPlan =
  | { number: number; on: "field"; name: string; value: ValuePlan }
  /** A message that JSON does not show: its fields stand in the object around it. */
  | { number: number; on: "embedded"; plan: MessagePlan };

export type ValuePlan =
  | { on: "scalar"; type: ScalarType }
  | { on: "message"; plan: () => MessagePlan }
  /** Kept as JSON bytes inside a message. */
  | { on: "any" }
  /** In a list or a map, a list is a message around its items. */
  | { on: "list"; items: ValuePlan }
  | { on: "map"; values: ValuePlan };

const plans = new CompiledTypes<MessagePlan>();

export function messagePlanOf(type: ObjectSchema, registry: SchemaRegistry): MessagePlan {
  const known = plans.get(type, registry);
  if (known) return known;
  const plan: MessagePlan = { fields: [], byNumber: new Map() };
  plans.set(type, registry, plan);
  for (const field of type.fields.values()) {
    if (field.proto === undefined) continue;
    const target = (field.protoVia ?? []).reduce(embeddedAt, plan);
    add(target, {
      number: field.proto,
      on: "field",
      name: field.name,
      value: compile(field.schema, registry),
    });
  }
  return plan;
}

function embeddedAt(plan: MessagePlan, number: number): MessagePlan {
  const known = plan.byNumber.get(number);
  if (known?.on === "embedded") return known.plan;
  const embedded: MessagePlan = { fields: [], byNumber: new Map() };
  add(plan, { number, on: "embedded", plan: embedded });
  return embedded;
}

function add(plan: MessagePlan, field: FieldPlan): void {
  plan.fields.push(field);
  plan.byNumber.set(field.number, field);
}

function compile(schema: Schema, registry: SchemaRegistry): ValuePlan {
  switch (schema.type) {
    case "any":
      return { on: "any" };
    case "ref":
      return { on: "message", plan: () => messagePlanOf(registry.type(schema.name), registry) };
    case "object":
      return { on: "message", plan: () => messagePlanOf(schema, registry) };
    case "list":
      return { on: "list", items: compile(schema.items, registry) };
    case "map":
      return { on: "map", values: compile(schema.values, registry) };
    default:
      return { on: "scalar", type: schema.type };
  }
}

/**
 * Whether an object of the type can be written as protobuf and read back whole: every field under it has a number.
 * Custom resources have none; nor has a CustomResourceDefinition, whose schemas hold unions that protobuf spells apart.
 */
export function hasProtobuf(type: ObjectSchema, registry: SchemaRegistry): boolean {
  const seen = new Set<ObjectSchema>();
  const isWhole = (each: ObjectSchema): boolean => {
    if (seen.has(each)) return true;
    seen.add(each);
    for (const field of each.fields.values()) {
      const isEnvelope = field.name === "apiVersion" || field.name === "kind";
      if (field.proto === undefined && !isEnvelope) return false;
      const inner = innermost(field.schema, registry);
      if (inner && !isWhole(inner)) return false;
    }
    return true;
  };
  return isWhole(type);
}

function innermost(schema: Schema, registry: SchemaRegistry): ObjectSchema | undefined {
  if (schema.type === "list") return innermost(schema.items, registry);
  if (schema.type === "map") return innermost(schema.values, registry);
  if (schema.type === "ref") return registry.type(schema.name);
  return schema.type === "object" ? schema : undefined;
}
