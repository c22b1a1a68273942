import { createRequire } from "node:module";
import type protobuf from "protobufjs/light.js";
import type { CompactMessage, CompactName, CompactWire, SparseMessage } from "./compact-types.ts";

/** Loaded with the first message: most processes never see one. */
let library: typeof protobuf | undefined;
const load = createRequire(import.meta.url);

export interface CompactCodec<W extends CompactWire> {
  /** Throws when a value does not fit its field. */
  encode<N extends CompactName<W>>(name: N, message: SparseMessage<W, N>): Buffer;
  /** Throws when the bytes are no such message. What the wire does not know is skipped. */
  decode<N extends CompactName<W>>(name: N, bytes: Buffer): CompactMessage<W, N>;
}

/** Bytes of messages that are told as data. */
export function createCompactCodec<W extends CompactWire>(wire: W): CompactCodec<W> {
  let root: protobuf.Root | undefined;
  const types = new Map<string, protobuf.Type>();
  const typeOf = (name: string): protobuf.Type => {
    let type = types.get(name);
    if (!type) {
      library ??= load("protobufjs/light.js") as typeof protobuf;
      root ??= library.Root.fromJSON({ nested: { ...nestedEnums(wire), ...nestedMessages(wire) } });
      type = root.lookupType(name);
      types.set(name, type);
    }
    return type;
  };
  return {
    encode(name, message) {
      const type = typeOf(name);
      return type.encode(type.fromObject(message as Record<string, unknown>)).finish() as Buffer;
    },
    decode(name, bytes) {
      const type = typeOf(name);
      const options = { longs: Number, enums: String, defaults: true };
      return type.toObject(type.decode(bytes), options) as CompactMessage<W, typeof name>;
    },
  };
}

function nestedEnums({ enums }: CompactWire): Record<string, protobuf.IEnum> {
  return Object.fromEntries(
    Object.entries(enums).map(([name, names]) => [
      name,
      { values: Object.fromEntries(names.map((value, number) => [value, number])) },
    ]),
  );
}

function nestedMessages({ messages }: CompactWire): Record<string, protobuf.IType> {
  return Object.fromEntries(
    Object.entries(messages).map(([name, fields]) => [
      name,
      {
        fields: Object.fromEntries(Object.entries(fields).map(([field, text]) => [field, fieldOf(text)])),
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
