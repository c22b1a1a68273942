import type {
  Field,
  ObjectSchema,
  ScalarSchema,
  Schema,
  SchemaRegistry,
  TypeName,
} from "../../machinery/index.ts";

/** An OpenAPI schema, of either version. */
export type Json = { [key: string]: unknown };

/** Texts for people, by type and field. */
export type Describe = (type: TypeName, field?: string) => string | undefined;

/** What differs between the versions. */
export interface Dialect {
  /** `#/definitions/` or `#/components/schemas/`. */
  refPrefix: string;
  version: 2 | 3;
}

/** Types that are one value in JSON but have a definition of their own, as clients expect. */
const scalarDefinitions = {
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  intOrString: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  time: "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
  microTime: "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
} as const;
export const patchDefinition = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

/** `core/v1.Pod` is published as `io.k8s.api.core.v1.Pod`. */
export function definitionName(type: TypeName): string {
  const dot = type.lastIndexOf(".");
  const [group, version] = type.slice(0, dot).split("/");
  const name = `${version}${type.slice(dot)}`;
  if (group === "meta") return `io.k8s.apimachinery.pkg.apis.meta.${name}`;
  if (group === "apiextensions") return `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.${name}`;
  if (group === "apiregistration") return `io.k8s.kube-aggregator.pkg.apis.apiregistration.${name}`;
  return `io.k8s.api.${group}.${name}`;
}

/** The definitions that are not objects. */
export function scalarDefinition(name: string, { version }: Dialect): Json {
  switch (name) {
    case scalarDefinitions.quantity:
      return {
        description: "An amount, such as 500m, 1.5 or 2Gi: a number with an optional suffix.",
        ...(version === 2 ? { type: "string" } : { oneOf: [{ type: "string" }, { type: "number" }] }),
      };
    case scalarDefinitions.intOrString:
      return {
        description: "A whole number, or a text such as a port's name or a percentage.",
        format: "int-or-string",
        ...(version === 2 ? { type: "string" } : { oneOf: [{ type: "integer" }, { type: "string" }] }),
      };
    case scalarDefinitions.time:
      return { description: "A time in RFC 3339, to the second.", type: "string", format: "date-time" };
    case scalarDefinitions.microTime:
      return { description: "A time in RFC 3339, to the microsecond.", type: "string", format: "date-time" };
    default:
      return { description: "A patch: its form is told by the Content-Type.", type: "object" };
  }
}

/** Lets others have the event loop. One path or definition is work enough for a turn: some take a millisecond. */
export const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

/** The types, and every one their definitions refer to, in order of name. */
export async function reachableFrom(
  roots: Iterable<TypeName>,
  registry: SchemaRegistry,
): Promise<{ types: TypeName[]; scalars: string[] }> {
  // A set is walked in the order of insertion, and what is added on the way is still to come.
  const types = new Set<TypeName>(roots);
  const scalars = new Set<string>([patchDefinition]);
  const visit = (schema: Schema): void => {
    if (schema.type === "ref") types.add(schema.name);
    else if (schema.type === "object") for (const field of schema.fields.values()) visit(field.schema);
    else if (schema.type === "list") visit(schema.items);
    else if (schema.type === "map") visit(schema.values);
    else if (schema.type in scalarDefinitions)
      scalars.add(scalarDefinitions[schema.type as keyof typeof scalarDefinitions]);
  };
  for (const name of types) {
    visit(registry.type(name));
    await pause();
  }
  return { types: [...types].sort(), scalars: [...scalars].sort() };
}

/** The definition of one type. */
export function objectDefinition(type: ObjectSchema, dialect: Dialect, describe: Describe): Json {
  const properties: Json = {};
  const required: string[] = [];
  for (const field of [...type.fields.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    properties[field.name] = property(field, dialect, describe(type.name, field.name));
    if (field.required) required.push(field.name);
  }
  const description = describe(type.name);
  return {
    ...(description && { description }),
    type: "object",
    ...(type.fields.size > 0 && { properties }),
    ...(required.length > 0 && { required }),
    ...(type.kinds && { "x-kubernetes-group-version-kind": type.kinds.map(groupVersionKind) }),
    ...(type.atomic && { "x-kubernetes-map-type": "atomic" }),
  };
}

export const groupVersionKind = ({
  group,
  version,
  kind,
}: {
  group: string;
  version: string;
  kind: string;
}) => ({
  group,
  kind,
  version,
});

function property(field: Field, dialect: Dialect, description: string | undefined): Json {
  const schema = inner(field.schema, dialect);
  const beside: Json = {
    ...(description && { description }),
    ...(dialect.version === 3 && field.default !== undefined && { default: field.default }),
    ...extensions(field),
  };
  // In version 3, what stands beside a $ref would be ignored.
  if (dialect.version === 3 && "$ref" in schema && Object.keys(beside).length > 0)
    return { allOf: [schema], ...beside };
  return { ...schema, ...beside };
}

function extensions({ schema, retainKeys }: Field): Json {
  if (schema.type === "map") return schema.atomic ? { "x-kubernetes-map-type": "atomic" } : {};
  if (schema.type !== "list" || !schema.list)
    return retainKeys ? { "x-kubernetes-patch-strategy": "retainKeys" } : {};
  const { type, keys, merge, mergeKey, retainKeys: listRetainsKeys } = schema.list;
  const strategy = [merge && "merge", listRetainsKeys && "retainKeys"].filter(Boolean).join(",");
  return {
    ...(keys && { "x-kubernetes-list-map-keys": keys }),
    "x-kubernetes-list-type": type,
    ...(mergeKey && { "x-kubernetes-patch-merge-key": mergeKey }),
    ...(strategy && { "x-kubernetes-patch-strategy": strategy }),
  };
}

function inner(schema: Schema, dialect: Dialect): Json {
  switch (schema.type) {
    case "ref":
      return { $ref: `${dialect.refPrefix}${definitionName(schema.name)}` };
    case "object":
      return { type: "object" };
    case "list":
      return { type: "array", items: inner(schema.items, dialect) };
    case "map":
      return { type: "object", additionalProperties: inner(schema.values, dialect) };
    case "any":
      // Version 2 has no way to say "anything" that every client understands.
      return dialect.version === 2 ? { type: "object" } : { "x-kubernetes-preserve-unknown-fields": true };
    default:
      return scalar(schema, dialect);
  }
}

function scalar({ type, enum: values }: ScalarSchema, dialect: Dialect): Json {
  switch (type) {
    case "string":
      return { type: "string", ...(values && { enum: [...values].sort() }) };
    case "boolean":
      return { type: "boolean" };
    case "int32":
    case "int64":
      return { type: "integer", format: type };
    case "double":
      return { type: "number", format: "double" };
    case "bytes":
      return { type: "string", format: "byte" };
    default:
      return { $ref: `${dialect.refPrefix}${scalarDefinitions[type]}` };
  }
}
