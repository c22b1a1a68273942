import { type KubeObject, type ListMeta, parseApiVersion } from "../meta.ts";
import type { ObjectSchema, SchemaRegistry } from "../schema.ts";
import { badRequest } from "../status.ts";
import { decodeMessage } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { newReader, newWriter, type Reader } from "./library.ts";

/*
 * Objects as `application/vnd.kubernetes.protobuf`: four bytes of magic, then a `runtime.Unknown` that names the kind and
 * holds the message. As `apimachinery/pkg/runtime/serializer/protobuf`.
 */

const magic = Buffer.from("k8s\0", "latin1");

/** contentEncoding = 3 and contentType = 4, which Go writes even when they are empty. */
const emptyEncoding = Buffer.from([0x1a, 0, 0x22, 0]);

/** An object with its envelope. `type` is that of the object, or of its list. */
export function encodeProtobuf(
  type: ObjectSchema,
  object: KubeObject | object,
  registry: SchemaRegistry,
): Buffer {
  const { apiVersion, kind } = object as { apiVersion: string; kind: string };
  return protobufEnvelope(apiVersion, kind, encodeMessage(type, object, registry));
}

/** An envelope around a message that is already encoded. */
export function protobufEnvelope(apiVersion: string, kind: string, message: Uint8Array): Buffer {
  const head = newWriter();
  head.uint32(10).fork(); // typeMeta = 1
  head.uint32(10).string(apiVersion).uint32(18).string(kind);
  head.ldelim();
  head.uint32(18).uint32(message.length); // raw = 2
  return Buffer.concat([magic, head.finish(), message, emptyEncoding]);
}

/** A list, from the messages of its items: stored ones are not encoded again. */
export function encodeProtobufList(
  list: { apiVersion: string; kind: string; metadata: ListMeta },
  items: readonly Uint8Array[],
  registry: SchemaRegistry,
): Buffer {
  const metadata = encodeMessage(registry.type("meta/v1.ListMeta"), list.metadata, registry);
  const parts: Uint8Array[] = [delimiter(10, metadata.length), metadata];
  for (const item of items) parts.push(delimiter(18, item.length), item);
  return protobufEnvelope(list.apiVersion, list.kind, Buffer.concat(parts));
}

/**
 * The same in pieces, for lists too long to be made at once: `head`, then for each item {@link protobufItemHead} and its
 * message, then `tail`. `itemsBytes`: of all items with their heads.
 */
export function protobufListPieces(
  list: { apiVersion: string; kind: string; metadata: ListMeta },
  itemsBytes: number,
  registry: SchemaRegistry,
): { head: Buffer; tail: Buffer } {
  const metadata = encodeMessage(registry.type("meta/v1.ListMeta"), list.metadata, registry);
  const start = Buffer.concat([delimiter(10, metadata.length), metadata]);
  const whole = protobufEnvelope(list.apiVersion, list.kind, start);
  const begins = whole.subarray(0, whole.length - start.length - emptyEncoding.length);
  // What the envelope says of the message's length holds for the start alone: it is written anew.
  const typeMeta = begins.subarray(0, begins.length - delimiter(18, start.length).length);
  return {
    head: Buffer.concat([typeMeta, delimiter(18, start.length + itemsBytes), start]),
    tail: emptyEncoding,
  };
}

/** Stands before an item of a list. */
export const protobufItemHead = (messageBytes: number): Uint8Array => delimiter(18, messageBytes);

/** One event of a watch, with the length before it that frames it in the stream. `object` has its envelope. */
export function protobufWatchFrame(type: string, object: Uint8Array): Buffer {
  const writer = newWriter();
  writer.uint32(10).string(type); // type = 1
  writer.uint32(18).fork(); // object = 2, a RawExtension
  writer.uint32(10).bytes(object);
  writer.ldelim();
  const event = writer.finish();
  const frame = Buffer.allocUnsafe(4 + event.length);
  frame.writeUInt32BE(event.length, 0);
  frame.set(event, 4);
  return frame;
}

const delimiter = (tag: number, length: number) => newWriter().uint32(tag).uint32(length).finish();

export const isProtobuf = (bytes: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);

/** The reverse of {@link encodeProtobuf}; the envelope tells the kind. Throws a 400 that says what is wrong. */
export function decodeProtobuf(bytes: Buffer, registry: SchemaRegistry): KubeObject {
  const { apiVersion, kind, raw } = openEnvelope(bytes);
  const { group, version } = parseApiVersion(apiVersion);
  const type = registry.kind(group, version, kind);
  if (!type) throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
  try {
    return { apiVersion, kind, ...decodeMessage(type, raw, registry) } as KubeObject;
  } catch (error) {
    throw badRequest(`error decoding protobuf: ${(error as Error).message}`);
  }
}

function openEnvelope(bytes: Buffer): { apiVersion: string; kind: string; raw: Uint8Array } {
  if (!isProtobuf(bytes))
    throw badRequest(
      "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    );
  const opened = { apiVersion: "", kind: "", raw: new Uint8Array() as Uint8Array };
  try {
    const reader = newReader(bytes.subarray(magic.length));
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 10) readTypeMeta(reader, opened);
      else if (tag === 18) opened.raw = reader.bytes();
      else reader.skipType(tag & 7);
    }
  } catch (error) {
    throw badRequest(`error decoding protobuf: ${(error as Error).message}`);
  }
  return opened;
}

function readTypeMeta(reader: Reader, into: { apiVersion: string; kind: string }): void {
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === 10) into.apiVersion = reader.string();
    else if (tag === 18) into.kind = reader.string();
    else reader.skipType(tag & 7);
  }
}
