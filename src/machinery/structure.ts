import { CompiledTypes } from "./compiled-types.ts";
import { type FieldError, fieldNotSupported, fieldRequired } from "./field-error.ts";
import type { ObjectSchema, ScalarSchema, Schema, SchemaRegistry } from "./schema.ts";
import { ValuePath } from "./value-path.ts";

/**
 * What a schema alone can say against an object: required fields that are missing, values outside an enum. `value` is
 * normalised and has its defaults. For a field that a kind's own validation has something to say about too, the
 * kind's word stands ({@link withoutRepetition}).
 */
export function validateStructure(type: ObjectSchema, value: object, registry: SchemaRegistry): FieldError[] {
  const plan = planOf(type, registry);
  const errors: FieldError[] = [];
  if (plan.needed) checkObject(plan, value as Record<string, unknown>, new ValuePath(), errors);
  return errors;
}

/** `first`, and of `more` what is about other fields. */
export function withoutRepetition(first: readonly FieldError[], more: readonly FieldError[]): FieldError[] {
  if (more.length === 0) return [...first];
  const fields = new Set(first.map((error) => error.field));
  return [...first, ...more.filter((error) => !fields.has(error.field))];
}

interface Plan {
  needed: boolean;
  required: string[];
  checks: { name: string; check: Check }[];
}
type Check =
  | { on: "enum"; values: readonly string[] }
  | { on: "object"; plan: Plan }
  | { on: "list" | "map"; items: Check };

const plans = new CompiledTypes<Plan>();

function planOf(type: ObjectSchema, registry: SchemaRegistry): Plan {
  const known = plans.get(type, registry);
  if (known) return known;
  const plan: Plan = { needed: true, required: [], checks: [] };
  plans.set(type, registry, plan);
  for (const field of type.fields.values()) {
    if (field.mustBePresent) plan.required.push(field.name);
    const check = checkOf(field.schema, registry);
    if (check) plan.checks.push({ name: field.name, check });
  }
  plan.needed = plan.required.length > 0 || plan.checks.length > 0;
  return plan;
}

function checkOf(schema: Schema, registry: SchemaRegistry): Check | undefined {
  switch (schema.type) {
    case "any":
      return undefined;
    case "ref":
    case "object": {
      const plan = planOf(schema.type === "ref" ? registry.type(schema.name) : schema, registry);
      return plan.needed ? { on: "object", plan } : undefined;
    }
    case "list":
    case "map": {
      const items = checkOf(schema.type === "list" ? schema.items : schema.values, registry);
      return items && { on: schema.type, items };
    }
    default: {
      const values = (schema as ScalarSchema).enum;
      return values && { on: "enum", values };
    }
  }
}

function checkObject(
  plan: Plan,
  object: Record<string, unknown>,
  path: ValuePath,
  errors: FieldError[],
): void {
  for (const name of plan.required) {
    if (object[name] === undefined) errors.push(fieldRequired(path.text(name)));
  }
  for (const { name, check } of plan.checks) {
    const value = object[name];
    if (value === undefined) continue;
    path.push(name);
    run(check, value, path, errors);
    path.pop();
  }
}

function run(check: Check, value: any, path: ValuePath, errors: FieldError[]): void {
  switch (check.on) {
    case "enum":
      // An empty value is a missing one, which is for the kind to judge.
      if (value !== "" && !check.values.includes(value))
        errors.push(fieldNotSupported(path.text(), value, [...check.values].sort()));
      return;
    case "object":
      checkObject(check.plan, value, path, errors);
      return;
    case "list":
      for (let i = 0; i < value.length; i++) {
        path.push(i);
        run(check.items, value[i], path, errors);
        path.pop();
      }
      return;
    case "map":
      for (const key in value) {
        path.push({ key });
        run(check.items, value[key], path, errors);
        path.pop();
      }
  }
}
