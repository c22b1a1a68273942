import type { ObjectSchema, ScalarType, SchemaRegistry } from "../schema.ts";
import { formatTime } from "../time.ts";
import { newReader, type Reader } from "./library.ts";
import { type MessagePlan, messagePlanOf, type ValuePlan } from "./plan.ts";

/** No built-in type nests as deep; more is an attack on the stack. */
const depthMax = 100;

/** The reverse of {@link encodeMessage}. Throws a plain Error for what is malformed. */
export function decodeMessage(type: ObjectSchema, bytes: Uint8Array, registry: SchemaRegistry): object {
  const reader = newReader(bytes);
  const object: Record<string, unknown> = {};
  readMessage(reader, reader.len, messagePlanOf(type, registry), object, 0);
  return object;
}

function readMessage(
  reader: Reader,
  end: number,
  plan: MessagePlan,
  object: Record<string, unknown>,
  depth: number,
): void {
  if (depth > depthMax) throw new Error(`messages are nested deeper than ${depthMax}`);
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = plan.byNumber.get(tag >>> 3);
    if (!field) reader.skipType(tag & 7);
    else if (field.on === "embedded") readMessage(reader, endOf(reader), field.plan, object, depth + 1);
    else readField(reader, tag & 7, field.name, field.value, object, depth);
  }
}

/** The end of the message that begins here. */
function endOf(reader: Reader): number {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new Error("a message ends after the data");
  return end;
}

function readField(
  reader: Reader,
  wireType: number,
  name: string,
  plan: ValuePlan,
  object: Record<string, unknown>,
  depth: number,
): void {
  if (plan.on === "list") {
    object[name] ??= [];
    const list = object[name] as unknown[];
    // A list of numbers may come packed, whatever its writer's version.
    if (wireType === 2 && plan.items.on === "scalar" && isVarint(plan.items.type)) {
      const end = endOf(reader);
      while (reader.pos < end) list.push(readScalar(reader, plan.items.type));
    } else list.push(readOne(reader, plan.items, depth));
  } else if (plan.on === "map") {
    object[name] ??= {};
    readEntry(reader, plan.values, object[name] as Record<string, unknown>, depth);
  } else {
    const value = readOne(reader, plan, depth);
    if (value !== undefined) object[name] = value;
  }
}

function readEntry(reader: Reader, values: ValuePlan, map: Record<string, unknown>, depth: number): void {
  const end = endOf(reader);
  let key = "";
  let value: unknown;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readOne(reader, values, depth);
    else reader.skipType(tag & 7);
  }
  // A plain assignment to this key would set the prototype.
  if (key === "__proto__")
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value ?? emptyOf(values);
}

/** What an entry without a value holds. */
function emptyOf(plan: ValuePlan): unknown {
  if (plan.on === "list") return [];
  if (plan.on !== "scalar") return {};
  return plan.type === "time" || plan.type === "microTime" ? null : plan.type === "quantity" ? "0" : "";
}

function readOne(reader: Reader, plan: ValuePlan, depth: number): unknown {
  switch (plan.on) {
    case "scalar":
      return readScalar(reader, plan.type);
    case "message": {
      const object: Record<string, unknown> = {};
      readMessage(reader, endOf(reader), plan.plan(), object, depth + 1);
      return object;
    }
    case "any":
      return readAny(reader);
    default: {
      const wrapper: Record<string, unknown> = { items: plan.on === "list" ? [] : {} };
      const end = endOf(reader);
      while (reader.pos < end) {
        const tag = reader.uint32();
        if (tag >>> 3 === 1) readField(reader, tag & 7, "items", plan, wrapper, depth + 1);
        else reader.skipType(tag & 7);
      }
      return wrapper.items;
    }
  }
}

function readAny(reader: Reader): unknown {
  let value: unknown;
  const end = endOf(reader);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 !== 1) reader.skipType(tag & 7);
    else {
      const raw = Buffer.from(reader.bytes()).toString("utf8");
      if (raw !== "") value = JSON.parse(raw);
    }
  }
  return value;
}

const isVarint = (type: ScalarType) => type === "int32" || type === "int64" || type === "boolean";

/** 64 bits come as an object of two halves where the library for it is there. */
const asNumber = (value: unknown) => Number(value);

function readScalar(reader: Reader, type: ScalarType): unknown {
  switch (type) {
    case "string":
      return reader.string();
    case "boolean":
      return reader.bool();
    case "int32":
      return reader.int32();
    case "int64":
      return asNumber(reader.int64());
    case "double":
      return reader.double();
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    case "quantity":
    case "intOrString":
    case "time":
    case "microTime":
      return readWrapped(reader, type);
  }
}

/** The scalars that are messages on the wire; all their fields are numbers or strings. */
function readWrapped(reader: Reader, type: "quantity" | "intOrString" | "time" | "microTime"): unknown {
  const end = endOf(reader);
  const numbers = [0, 0, 0, 0];
  let text = "";
  let filled = false;
  while (reader.pos < end) {
    const tag = reader.uint32();
    filled = true;
    if ((tag & 7) === 2) text = reader.string();
    else if ((tag & 7) === 0 && tag >>> 3 < numbers.length) numbers[tag >>> 3] = asNumber(reader.int64());
    else reader.skipType(tag & 7);
  }
  if (type === "quantity") return text === "" ? "0" : text;
  if (type === "intOrString") return numbers[1] === 1 ? text : numbers[2];
  // An empty message is no time at all.
  if (!filled) return undefined;
  return timeText(numbers[1]!, numbers[2]!, type);
}

/** Past this, no four-digit year is left. */
const secondsMax = 253_402_300_799;

function timeText(seconds: number, nanos: number, type: "time" | "microTime"): string {
  if (Math.abs(seconds) > secondsMax || nanos < 0 || nanos > 999_999_999)
    throw new Error("a time out of range");
  const whole = formatTime(seconds * 1_000);
  return type === "time"
    ? whole
    : `${whole.slice(0, -1)}.${String(Math.floor(nanos / 1_000)).padStart(6, "0")}Z`;
}
