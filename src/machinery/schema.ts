/**
 * The one form in which every type is known, built-in or from a CustomResourceDefinition:
 * decoding, defaulting, structural validation, strategic merge, server-side apply, OpenAPI,
 * `kubectl explain` and the protobuf codec are each a walk over it.
 *
 * - A `Schema` is immutable and shared; recursion goes through `ref`.
 * - Field order is the order of output in OpenAPI; JSON keeps the writer's order.
 */
export type Schema =
  | ObjectSchema
  | { type: "ref"; name: TypeName }
  | { type: "list"; items: Schema; list?: ListSemantics }
  | { type: "map"; values: Schema; atomic?: boolean }
  | ScalarSchema
  /** Anything goes, kept as it is: `RawExtension`, `FieldsV1`, `x-kubernetes-preserve-unknown-fields`. */
  | { type: "any" };

export interface ScalarSchema {
  type: ScalarType;
  enum?: readonly string[];
}

export type ScalarType =
  | "string"
  | "boolean"
  /** 32 bits. */
  | "int32"
  | "int64"
  | "double"
  /** Base64 in JSON. */
  | "bytes"
  /** A string or a number in JSON; canonical string in storage. */
  | "quantity"
  | "intOrString"
  /** RFC 3339, whole seconds, UTC. */
  | "time"
  /** RFC 3339 with six digits of fraction. */
  | "microTime";

/** `group/version.Name`, without the `io.k8s.api` prefix: `core/v1.Pod`, `meta/v1.ObjectMeta`. */
export type TypeName = string;

/** How a list is merged. As `x-kubernetes-list-type` and the Go struct tags `patchStrategy`, `patchMergeKey`. */
export interface ListSemantics {
  type: "atomic" | "set" | "map";
  /** For `map`: the fields that identify an item. */
  keys?: readonly string[];
  /** For strategic merge patch: lists without it are replaced whole. */
  mergeKey?: string;
  merge?: boolean;
  /** `patchStrategy: retainKeys`, alone or with merge. */
  retainKeys?: boolean;
}

export interface ObjectSchema {
  type: "object";
  name: TypeName;
  description?: string;
  fields: ReadonlyMap<string, Field>;
  /** `x-kubernetes-map-type: atomic`. */
  atomic?: boolean;
  /** Set on a top-level kind. */
  kinds?: readonly { group: string; version: string; kind: string }[];
}

export interface Field {
  name: string;
  schema: Schema;
  required?: boolean;
  default?: unknown;
  description?: string;
  /**
   * Its absence is an error by itself. With a built-in type only where Go has a pointer: elsewhere a zero stands in, and
   * what is wrong with that is for the kind's own validation to say.
   */
  mustBePresent?: boolean;
  /** An empty value (`""`, `0`, `false`, `[]`, `{}`) is kept; else it is the same as none, as Go's `omitempty`. */
  keepsEmpty?: boolean;
  /** Protobuf field number; absent for a field that has none. */
  proto?: number;
  /** Numbers of the messages that hold the field, where JSON shows their fields in place (a Volume's source). */
  protoVia?: readonly number[];
  /** `patchStrategy: retainKeys` on a struct (a Deployment's strategy). */
  retainKeys?: boolean;
}

/** Finds a type by name; throws an InvariantError for one it does not have. */
export interface SchemaRegistry {
  type(name: TypeName): ObjectSchema;
  /** The type of a top-level kind, or undefined. */
  kind(group: string, version: string, kind: string): ObjectSchema | undefined;
  names(): Iterable<TypeName>;
}
