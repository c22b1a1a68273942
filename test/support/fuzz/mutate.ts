import { builtinSchemas } from "../../../src/api/index.ts";
import type { Random } from "../../../src/base/index.ts";
import type { ObjectSchema, ScalarSchema, Schema } from "../../../src/machinery/index.ts";

/** How deep a made-up value goes. */
const depthMax = 3;

const strings = [
  ...[
    "",
    "a",
    "main",
    "seed",
    "default",
    "x".repeat(64),
    "x".repeat(300),
    "Ünï",
    "a/b",
    "-a",
    "a.b/c",
    "..",
    "\u0000",
  ],
  ...[
    "kubernetes.io/hostname",
    "node-1",
    "example.com/device",
    "cpu",
    "memory",
    "ephemeral-storage",
    "pods",
    "10",
  ],
  ...[
    "In",
    "NotIn",
    "Exists",
    "DoesNotExist",
    "Gt",
    "Lt",
    "Equal",
    "NoExecute",
    "NoSchedule",
    "Never",
    "Always",
  ],
  ...["Delete", "Orphan", "Background", "true", "null", "-1", "1e400", "50%", "$(A)", "2020-01-01T00:00:00Z"],
];
const numbers = [-1, 0, 1, 2, 7, 80, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 1.5];
const quantities = ["0", "1", "100m", "1Gi", "-1", "1e3", "9e18", "1e99", "0.1n", "junk", "", 5];
const others = [null, {}, [], "text", 7, true, [[]], { a: { b: [] } }];

/** Chooses by a seed, so that what went wrong can be had again. */
export class Chooser {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  below(limit: number): number {
    return Math.floor(this.#random.fraction() * limit);
  }

  chance(share: number): boolean {
    return this.#random.fraction() < share;
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }
}

/** The object with none to three places of it replaced, taken out, or said twice. The object itself stays as it is. */
export function mutated<T>(object: T, schema: ObjectSchema, choose: Chooser): T {
  const copy = structuredClone(object);
  for (let times = choose.below(4); times > 0; times--) mutateObject(copy, schema, choose);
  return copy;
}

function mutateObject(value: any, schema: ObjectSchema, choose: Chooser): void {
  const there = Object.keys(value).filter((name) => schema.fields.has(name));
  const name =
    choose.chance(0.7) && there.length > 0 ? choose.one(there) : choose.one([...schema.fields.keys()]);
  const field = schema.fields.get(name)!;
  const inner = resolved(field.schema);
  if (value[name] !== undefined && choose.chance(0.75) && mutateInside(value[name], inner, choose)) return;
  if (choose.chance(0.15)) delete value[name];
  else value[name] = choose.chance(0.05) ? choose.one(others) : made(inner, choose, 0);
}

/** Whether there is an inside, which has been changed. */
function mutateInside(value: any, schema: Exclude<Schema, { type: "ref" }>, choose: Chooser): boolean {
  if (schema.type === "object" && isRecord(value)) {
    mutateObject(value, schema, choose);
    return true;
  }
  if (schema.type === "list" && Array.isArray(value)) {
    const items = resolved(schema.items);
    if (value.length > 0 && choose.chance(0.7)) {
      const at = choose.below(value.length);
      if (!mutateInside(value[at], items, choose)) value[at] = made(items, choose, 1);
    } else if (value.length > 0 && choose.chance(0.3)) value.push(structuredClone(choose.one(value)));
    else value.push(made(items, choose, 1));
    return true;
  }
  if (schema.type === "map" && isRecord(value)) {
    const keys = Object.keys(value);
    const key = keys.length > 0 && choose.chance(0.5) ? choose.one(keys) : choose.one(strings);
    value[key] = made(resolved(schema.values), choose, 1);
    return true;
  }
  return false;
}

/** A value of the schema, of its shape at least. */
function made(schema: Exclude<Schema, { type: "ref" }>, choose: Chooser, depth: number): unknown {
  switch (schema.type) {
    case "object": {
      if (depth >= depthMax) return {};
      const fields = [...schema.fields.values()].filter((field) => choose.chance(field.required ? 0.9 : 0.3));
      return Object.fromEntries(fields.map((f) => [f.name, made(resolved(f.schema), choose, depth + 1)]));
    }
    case "list":
      return Array.from({ length: choose.below(3) }, () => made(resolved(schema.items), choose, depth + 1));
    case "map":
      return Object.fromEntries(
        Array.from({ length: choose.below(3) }, () => [
          choose.one(strings),
          made(resolved(schema.values), choose, depth + 1),
        ]),
      );
    case "any":
      return choose.one(others);
    default:
      return scalar(schema, choose);
  }
}

function scalar({ type, enum: values }: ScalarSchema, choose: Chooser): unknown {
  if (values && choose.chance(0.8)) return choose.one(values);
  switch (type) {
    case "boolean":
      return choose.chance(0.5);
    case "int32":
    case "int64":
    case "double":
      return choose.one(numbers);
    case "quantity":
      return choose.one(quantities);
    case "intOrString":
      return choose.chance(0.5) ? choose.one(numbers) : choose.one(strings);
    case "bytes":
      return choose.one(["", "YQ==", "!", "YWJj"]);
    case "time":
    case "microTime":
      return choose.one([
        "2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59Z",
        "soon",
        "",
      ]);
    default:
      return choose.one(strings);
  }
}

function resolved(schema: Schema): Exclude<Schema, { type: "ref" }> {
  return schema.type === "ref" ? builtinSchemas.type(schema.name) : schema;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
