import type { ObjectSchema, ScalarType, SchemaRegistry } from "../schema.ts";
import { parseTime } from "../time.ts";
import { newWriter, type Writer } from "./library.ts";
import { type MessagePlan, messagePlanOf, type ValuePlan } from "./plan.ts";

/** Wire types. */
const varint = 0;
const fixed64 = 1;
const delimited = 2;

/** The message alone, without the envelope: what a list's item is. */
export function encodeMessage(type: ObjectSchema, object: object, registry: SchemaRegistry): Buffer {
  const writer = newWriter();
  writeMessage(writer, messagePlanOf(type, registry), object as Record<string, unknown>);
  return writer.finish() as Buffer;
}

function writeMessage(writer: Writer, plan: MessagePlan, object: Record<string, unknown>): void {
  for (const field of plan.fields) {
    if (field.on === "field") {
      const value = object[field.name];
      if (value !== undefined && value !== null) writeField(writer, field.number, field.value, value);
    } else if (holdsAny(field.plan, object)) {
      open(writer, field.number);
      writeMessage(writer, field.plan, object);
      writer.ldelim();
    }
  }
}

const holdsAny = (plan: MessagePlan, object: Record<string, unknown>): boolean =>
  plan.fields.some((field) =>
    field.on === "field" ? object[field.name] !== undefined : holdsAny(field.plan, object),
  );

const tag = (writer: Writer, number: number, wireType: number) => writer.uint32((number << 3) | wireType);
const open = (writer: Writer, number: number) => tag(writer, number, delimited).fork();

function writeField(writer: Writer, number: number, plan: ValuePlan, value: any): void {
  if (plan.on === "list") for (const item of value) writeOne(writer, number, plan.items, item);
  else if (plan.on === "map") {
    for (const key of Object.keys(value).sort()) {
      open(writer, number);
      tag(writer, 1, delimited).string(key);
      writeOne(writer, 2, plan.values, value[key]);
      writer.ldelim();
    }
  } else writeOne(writer, number, plan, value);
}

/** One value, which may itself be a list: then it is a message around it. */
function writeOne(writer: Writer, number: number, plan: ValuePlan, value: any): void {
  if (value === null) {
    // Of a map's values: a time that is none.
    open(writer, number).ldelim();
    return;
  }
  switch (plan.on) {
    case "scalar":
      writeScalar(writer, number, plan.type, value);
      return;
    case "message":
      open(writer, number);
      writeMessage(writer, plan.plan(), value);
      writer.ldelim();
      return;
    case "any":
      open(writer, number);
      tag(writer, 1, delimited).bytes(Buffer.from(JSON.stringify(value)));
      writer.ldelim();
      return;
    default:
      open(writer, number);
      writeField(writer, 1, plan, value);
      writer.ldelim();
  }
}

function writeScalar(writer: Writer, number: number, type: ScalarType, value: any): void {
  switch (type) {
    case "string":
      tag(writer, number, delimited).string(value);
      return;
    case "boolean":
      tag(writer, number, varint).bool(value);
      return;
    case "int32":
      tag(writer, number, varint).int32(value);
      return;
    case "int64":
      tag(writer, number, varint).int64(value);
      return;
    case "double":
      tag(writer, number, fixed64).double(value);
      return;
    case "bytes":
      tag(writer, number, delimited).bytes(Buffer.from(value, "base64"));
      return;
    case "quantity":
      open(writer, number);
      tag(writer, 1, delimited).string(String(value));
      writer.ldelim();
      return;
    case "intOrString":
      open(writer, number);
      tag(writer, 1, varint).int64(typeof value === "string" ? 1 : 0);
      if (typeof value === "string") tag(writer, 3, delimited).string(value);
      else tag(writer, 2, varint).int32(value);
      writer.ldelim();
      return;
    case "time":
    case "microTime":
      writeTime(writer, number, value);
  }
}

function writeTime(writer: Writer, number: number, text: string): void {
  const seconds = Math.floor((parseTime(text) ?? 0) / 1_000);
  // Its digits, not the double's: that does not hold every microsecond.
  const micros = Number((/\.(\d+)/.exec(text)?.[1] ?? "").padEnd(6, "0").slice(0, 6));
  open(writer, number);
  tag(writer, 1, varint).int64(seconds);
  tag(writer, 2, varint).int32(micros * 1_000);
  writer.ldelim();
}
