import protobuf from "protobufjs/light.js";
import { enums, messages } from "./messages.ts";
import type { Message, MessageName, Sparse } from "./types.ts";

let root: protobuf.Root | undefined;
const types = new Map<MessageName, protobuf.Type>();

function typeOf(name: MessageName): protobuf.Type {
  let type = types.get(name);
  if (!type) {
    root ??= protobuf.Root.fromJSON({ nested: { ...nestedEnums(), ...nestedMessages() } });
    type = root.lookupType(name);
    types.set(name, type);
  }
  return type;
}

function nestedEnums(): Record<string, protobuf.IEnum> {
  return Object.fromEntries(
    Object.entries(enums).map(([name, names]) => [
      name,
      { values: Object.fromEntries(names.map((value, number) => [value, number])) },
    ]),
  );
}

function nestedMessages(): Record<string, protobuf.IType> {
  return Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(
          Object.entries(fields as Record<string, string>).map(([field, text]) => [field, fieldOf(text)]),
        ),
      },
    ]),
  );
}

function fieldOf(text: string): protobuf.IField {
  const [, number, repeated, map, single] = /^(\d+) (?:\[(\w+)\]|\{(\w+)\}|(\w+))$/.exec(text)!;
  const id = Number(number);
  if (map) return { id, type: map, keyType: "string" } as protobuf.IMapField;
  return repeated ? { id, type: repeated, rule: "repeated" } : { id, type: single! };
}

/** Throws when a value does not fit its field. */
export function encode<N extends MessageName>(name: N, message: Sparse<N>): Buffer {
  const type = typeOf(name);
  return type.encode(type.fromObject(message as Record<string, unknown>)).finish() as Buffer;
}

/** Throws when the bytes are no such message. What CRI does not know is skipped. */
export function decode<N extends MessageName>(name: N, bytes: Buffer): Message<N> {
  const type = typeOf(name);
  return type.toObject(type.decode(bytes), { longs: Number, enums: String, defaults: true }) as Message<N>;
}
