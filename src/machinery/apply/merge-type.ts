import type { Field, ListSemantics, ObjectSchema, Schema, SchemaRegistry } from "../schema.ts";

/**
 * A type as ownership of fields sees it: what is one leaf (a scalar, or anything atomic), and what has parts that can have
 * different owners. Made from a `Schema` once, lazily, and kept.
 */
export type MergeType =
  | { is: "leaf" }
  | StructType
  | { is: "map"; values: MergeType }
  /** A list of scalars, each its own owner. */
  | { is: "set" }
  | MapListType
  /** No type is known: objects have parts, everything else is a leaf. */
  | { is: "free" };

export interface MapListType {
  is: "mapList";
  /** Sorted by name, as an item's element is written. */
  keys: readonly { name: string; default: unknown }[];
  items: MergeType;
}

export interface FieldType {
  /** `f:name`, as FieldsV1 has it. */
  element: string;
  type: MergeType;
  /** There even in an empty object (a Go struct that is no pointer): making the object does not make this field. */
  alwaysPresent: boolean;
  default: unknown;
  /** Never owned by anyone: `metadata.uid` and its like. */
  unowned: boolean;
  /** Holds such fields (`metadata` of the object itself), and so is never removed for having lost its owners. */
  holdsUnowned: boolean;
}

export class StructType {
  readonly is = "struct";
  readonly #schema: ObjectSchema;
  readonly #registry: SchemaRegistry;
  readonly #override: FieldOverride | undefined;
  #fields: Map<string, FieldType> | undefined;

  constructor(schema: ObjectSchema, registry: SchemaRegistry, override?: FieldOverride) {
    this.#schema = schema;
    this.#registry = registry;
    this.#override = override;
  }

  get fields(): ReadonlyMap<string, FieldType> {
    if (this.#fields) return this.#fields;
    const fields = new Map<string, FieldType>();
    for (const field of this.#schema.fields.values()) {
      const plain: FieldType = {
        element: `f:${field.name}`,
        type: mergeTypeOf(field.schema, this.#registry),
        alwaysPresent: field.required === true || isEmptyObject(field.default),
        default: field.default,
        unowned: false,
        holdsUnowned: false,
      };
      fields.set(field.name, this.#override?.(field, plain) ?? plain);
    }
    this.#fields = fields;
    return fields;
  }
}

type FieldOverride = (field: Field, plain: FieldType) => FieldType | undefined;

/** Fields of `metadata` that the server decides or that name the object. As upstream's `stripMetaManager`. */
const unownedMetadata = new Set([
  "name",
  "namespace",
  "creationTimestamp",
  "selfLink",
  "uid",
  "clusterName",
  "generation",
  "managedFields",
  "resourceVersion",
]);

const leaf: MergeType = { is: "leaf" };
const set: MergeType = { is: "set" };
const free: MergeType = { is: "free" };

const structs = new WeakMap<ObjectSchema, StructType>();
const roots = new WeakMap<ObjectSchema, StructType>();

/** The type of a whole object: as its schema, less what nobody owns. */
export function rootTypeOf(schema: ObjectSchema, registry: SchemaRegistry): StructType {
  let root = roots.get(schema);
  if (root) return root;
  root = new StructType(schema, registry, (field, plain) => {
    if (field.name === "apiVersion" || field.name === "kind") return { ...plain, unowned: true };
    if (field.name !== "metadata") return undefined;
    const metadata = field.schema.type === "ref" ? registry.type(field.schema.name) : field.schema;
    if (metadata.type !== "object") return undefined;
    const type = new StructType(metadata, registry, (inner, plainInner) =>
      unownedMetadata.has(inner.name) ? { ...plainInner, unowned: true } : undefined,
    );
    return { ...plain, type, alwaysPresent: true, holdsUnowned: true };
  });
  roots.set(schema, root);
  return root;
}

function mergeTypeOf(schema: Schema, registry: SchemaRegistry): MergeType {
  switch (schema.type) {
    case "ref":
      return structOf(registry.type(schema.name), registry);
    case "object":
      return structOf(schema, registry);
    case "map":
      return schema.atomic ? leaf : { is: "map", values: mergeTypeOf(schema.values, registry) };
    case "list":
      return listOf(schema.items, schema.list, registry);
    case "any":
      return free;
    default:
      return leaf;
  }
}

function structOf(schema: ObjectSchema, registry: SchemaRegistry): MergeType {
  if (schema.atomic) return leaf;
  let struct = structs.get(schema);
  if (!struct) {
    struct = new StructType(schema, registry);
    structs.set(schema, struct);
  }
  return struct;
}

/** A list without a type is atomic. */
function listOf(items: Schema, semantics: ListSemantics | undefined, registry: SchemaRegistry): MergeType {
  if (semantics?.type === "set") return set;
  if (semantics?.type !== "map" || !semantics.keys?.length) return leaf;
  const item = items.type === "ref" ? registry.type(items.name) : items;
  if (item.type !== "object") return leaf;
  const keys = [...semantics.keys].sort().map((name) => ({ name, default: item.fields.get(name)?.default }));
  return { is: "mapList", keys, items: structOf(item, registry) };
}

const isEmptyObject = (value: unknown) =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;
