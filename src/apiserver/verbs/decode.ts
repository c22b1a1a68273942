import type { Kind } from "../../api/index.ts";
import {
  apiVersionOf,
  applyDefaults,
  badRequest,
  decodeProtobuf,
  type KubeObject,
  normalise,
  type ObjectSchema,
  parseApiVersion,
  parseJson,
  parseYaml,
  type SchemaRegistry,
} from "../../machinery/index.ts";
import type { Body, Call, Caller, Serving } from "../context.ts";
import { thaw } from "../registry/json-value.ts";

/** Who is told of what is odd. */
export type Warned = Pick<Caller, "warn">;

/** What a body is expected to hold. */
interface Expected {
  group: string;
  version: string;
  kind: string;
  schema: ObjectSchema;
}

/**
 * The body of a write as an object of the kind, normalised and with its defaults; fresh, and the caller's to change.
 * Throws a 400 for what is no such object, or (Strict) has fields it does not know; warns of those (Warn, the default).
 */
export function decodeObject(serving: Serving, caller: Warned, call: Call): KubeObject {
  const { kind } = call.storage;
  const object = decodeAs(serving, caller, call, expectedOf(kind, serving.schemas));
  kind.strategy.applyDefaults?.(object);
  return object;
}

/** The same for a subresource whose body is of another type than the object: a Binding, an Eviction, a Scale. */
export function decodeOther(
  serving: Serving,
  caller: Warned,
  call: Call,
  other: { group: string; version: string; kind: string },
): KubeObject {
  const schema = serving.schemas.kind(other.group, other.version, other.kind);
  if (!schema) throw badRequest(`no kind ${other.kind} is registered for version ${apiVersionOf(other)}`);
  return decodeAs(serving, caller, call, { ...other, schema });
}

function decodeAs(serving: Serving, caller: Warned, call: Call, expected: Expected): KubeObject {
  const mode = call.options.fieldValidation ?? "Warn";
  const { body } = call;
  if (!body || (body.as === "bytes" && body.bytes.length === 0)) {
    throw badRequest(`the body of the request was empty, and must be a ${expected.kind}`);
  }
  const { value, duplicates } = parseBody(body, serving.schemas, mode === "Ignore" ? "ignore" : "find");
  return conform(serving, caller, value, expected, { mode, duplicates });
}

/**
 * Brings a value that came from a client (a body, or what a patch made) to the form that is stored.
 * `duplicates`: fields that its text had twice.
 */
export function conform(
  serving: Serving,
  caller: Warned,
  value: unknown,
  expected: Expected,
  found: { mode: "Strict" | "Warn" | "Ignore"; duplicates: readonly string[] },
): KubeObject {
  const object = requireType(value, expected);
  const { unknown, errors } = normalise(expected.schema, object, serving.schemas);
  if (errors.length > 0) throw cannotBeHandled(expected, errors.join(", "));
  if (found.mode !== "Ignore") {
    const strict = [
      ...unknown.map((path) => `unknown field "${path}"`),
      ...found.duplicates.map((path) => `duplicate field "${path}"`),
    ];
    if (strict.length > 0 && found.mode === "Strict") {
      throw cannotBeHandled(expected, `strict decoding error: ${strict.join(", ")}`);
    }
    for (const message of strict) caller.warn(message);
  }
  object.metadata ??= {};
  applyDefaults(expected.schema, object, serving.schemas);
  return object;
}

export function expectedOf(kind: Kind, schemas: SchemaRegistry): Expected {
  return { group: kind.group, version: kind.version, kind: kind.kind, schema: schemas.type(kind.schema) };
}

/** Kind and version default to those of the path. */
function requireType(value: unknown, expected: Expected): KubeObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw cannotBeHandled(expected, "json: cannot unmarshal a value that is no object");
  }
  const object = value as KubeObject;
  const apiVersion = apiVersionOf(expected);
  object.apiVersion ||= apiVersion;
  object.kind ||= expected.kind;
  if (object.kind !== expected.kind) {
    throw badRequest(
      `${object.kind} in version "${parseApiVersion(String(object.apiVersion)).version}" cannot be handled as a ${expected.kind}: no kind "${object.kind}" is served here`,
    );
  }
  if (object.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${object.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  return object;
}

const cannotBeHandled = (expected: Expected, why: string) =>
  badRequest(
    `${expected.kind} in version "${expected.version}" cannot be handled as a ${expected.kind}: ${why}`,
  );

export function parseBody(
  body: Body,
  schemas: SchemaRegistry,
  duplicates: "find" | "ignore",
): { value: unknown; duplicates: readonly string[] } {
  if (body.as === "object") return { value: thaw(body.object), duplicates: [] };
  switch (body.mediaType) {
    case "json":
      return parseJson(body.bytes, { duplicates });
    case "yaml":
      return parseYaml(body.bytes, { duplicates });
    case "protobuf":
      return { value: decodeProtobuf(body.bytes, schemas), duplicates: [] };
  }
}

/** A body that may be missing, such as DeleteOptions. */
export function decodeOptions(serving: Serving, call: Call): unknown {
  const { body } = call;
  if (!body || (body.as === "bytes" && body.bytes.length === 0)) return undefined;
  return parseBody(body, serving.schemas, "ignore").value;
}
