import protobuf from "protobufjs/minimal.js";
import type { Json } from "./definitions.ts";

/*
 * Swagger 2.0 as protobuf: `application/com.github.proto-openapi.spec.v2@v1.0+protobuf`, the only form in which kubectl
 * up to 1.2x reads it. The messages are those of gnostic's `OpenAPIv2.proto`; what has no fixed type in them (defaults,
 * extensions) is text in YAML, of which JSON is a part.
 */

type Writer = protobuf.Writer;
type Message = (writer: Writer, value: any) => void;

/** Wire type 2: everything here but booleans. */
const open = (writer: Writer, number: number) => writer.uint32((number << 3) | 2).fork();

function message(writer: Writer, number: number, write: Message, value: unknown): void {
  if (value === undefined) return;
  open(writer, number);
  write(writer, value);
  writer.ldelim();
}
function text(writer: Writer, number: number, value: unknown): void {
  if (value !== undefined) writer.uint32((number << 3) | 2).string(value as string);
}
function texts(writer: Writer, number: number, values: unknown): void {
  for (const value of (values as string[] | undefined) ?? []) text(writer, number, value);
}
function flag(writer: Writer, number: number, value: unknown): void {
  if (value) writer.uint32(number << 3).bool(true);
}
/** An entry of a map: name = 1, value = 2. */
function named(writer: Writer, number: number, write: Message, entries: unknown): void {
  for (const [name, value] of Object.entries((entries as Json | undefined) ?? {})) {
    open(writer, number);
    text(writer, 1, name);
    message(writer, 2, write, value);
    writer.ldelim();
  }
}
/** Any: yaml = 2. */
const any: Message = (writer, value) => text(writer, 2, JSON.stringify(value));

function extensions(writer: Writer, number: number, of: Json): void {
  for (const name in of) {
    if (!name.startsWith("x-")) continue;
    open(writer, number);
    text(writer, 1, name);
    message(writer, 2, any, of[name]);
    writer.ldelim();
  }
}

const schema: Message = (writer, of: Json) => {
  text(writer, 1, of["$ref"]);
  text(writer, 2, of["format"]);
  text(writer, 4, of["description"]);
  if (of["default"] !== undefined) message(writer, 5, any, of["default"]);
  texts(writer, 19, of["required"]);
  for (const value of (of["enum"] as unknown[] | undefined) ?? []) message(writer, 20, any, value);
  message(writer, 21, (w, v) => message(w, 1, schema, v), of["additionalProperties"]);
  message(writer, 22, (w, v) => text(w, 1, v), of["type"]);
  message(writer, 23, (w, v) => message(w, 1, schema, v), of["items"]);
  message(writer, 25, (w, v) => named(w, 1, schema, v), of["properties"]);
  extensions(writer, 31, of);
};

const bodyParameter: Message = (writer, of: Json) => {
  text(writer, 1, of["description"]);
  text(writer, 2, of["name"]);
  text(writer, 3, of["in"]);
  flag(writer, 4, of["required"]);
  message(writer, 5, schema, of["schema"]);
};

/** Of a query; of a path, which has no `allowEmptyValue` before the type, the numbers from there on are one less. */
const plainParameter =
  (shift: 0 | 1): Message =>
  (writer, of: Json) => {
    flag(writer, 1, of["required"]);
    text(writer, 2, of["in"]);
    text(writer, 3, of["description"]);
    text(writer, 4, of["name"]);
    text(writer, 6 - shift, of["type"]);
    flag(writer, 20 - shift, of["uniqueItems"]);
  };

/** ParametersItem: parameter = 1; of that, a body's = 1, another's = 2; of that, a query's = 3, a path's = 4. */
const parameter: Message = (writer, of: Json) => {
  open(writer, 1);
  if (of["in"] === "body") message(writer, 1, bodyParameter, of);
  else {
    open(writer, 2);
    if (of["in"] === "query") message(writer, 3, plainParameter(0), of);
    else message(writer, 4, plainParameter(1), of);
    writer.ldelim();
  }
  writer.ldelim();
};

/** ResponseValue: response = 1; its schema is an item with schema = 1. */
const response: Message = (writer, of: Json) => {
  open(writer, 1);
  text(writer, 1, of["description"]);
  message(writer, 2, (w, v) => message(w, 1, schema, v), of["schema"]);
  writer.ldelim();
};

const operation: Message = (writer, of: Json) => {
  texts(writer, 1, of["tags"]);
  text(writer, 3, of["description"]);
  text(writer, 5, of["operationId"]);
  texts(writer, 6, of["produces"]);
  texts(writer, 7, of["consumes"]);
  for (const each of of["parameters"] as Json[]) message(writer, 8, parameter, each);
  message(writer, 9, (w, v) => named(w, 1, response, v), of["responses"]);
  texts(writer, 10, of["schemes"]);
  extensions(writer, 13, of);
};

const pathItem: Message = (writer, of: Json) => {
  message(writer, 2, operation, of["get"]);
  message(writer, 3, operation, of["put"]);
  message(writer, 4, operation, of["post"]);
  message(writer, 5, operation, of["delete"]);
  message(writer, 8, operation, of["patch"]);
  for (const each of of["parameters"] as Json[]) message(writer, 9, parameter, each);
};

function entry(write: Message, number: number, name: string, value: Json): Buffer {
  const writer = protobuf.Writer.create();
  named(writer, number, write, { [name]: value });
  return writer.finish() as Buffer;
}

/** One path, as an entry of `Paths`. */
export const pathEntry = (path: string, value: Json) => entry(pathItem, 2, path, value);
/** One definition, as an entry of `Definitions`. */
export const definitionEntry = (name: string, value: Json) => entry(schema, 1, name, value);

/** The document around its entries. */
export function documentOf(
  info: { title: string; version: string },
  paths: readonly Buffer[],
  definitions: readonly Buffer[],
): Buffer {
  const head = protobuf.Writer.create();
  text(head, 1, "2.0");
  open(head, 2);
  text(head, 1, info.title);
  text(head, 2, info.version);
  head.ldelim();
  const part = (number: number, entries: readonly Buffer[]) => {
    const length = entries.reduce((sum, each) => sum + each.length, 0);
    return [
      protobuf.Writer.create()
        .uint32((number << 3) | 2)
        .uint32(length)
        .finish(),
      ...entries,
    ];
  };
  return Buffer.concat([head.finish(), ...part(8, paths), ...part(9, definitions)]);
}
