import assert from "node:assert/strict";
import { test } from "node:test";
import { createSchemaRegistry } from "../registry.ts";
import { decodeMessage } from "./decode.ts";
import { encodeMessage } from "./encode.ts";
import { decodeProtobuf, encodeProtobuf, encodeProtobufList, protobufWatchFrame } from "./envelope.ts";
import { hasProtobuf } from "./plan.ts";

const registry = createSchemaRegistry([
  {
    name: "zoo/v1",
    group: "zoo.example.com",
    version: "v1",
    types: {
      Animal: `
        @kind
        apiVersion: string
        kind: string
        metadata: meta/v1.ListMeta #1
        name: string #2
        legs: int32? #3
        age: int64 #4
        weight: double #5
        wild: boolean #6
        photo: bytes #7
        food: {quantity} #8
        port: intOrString #9
        born: time #10
        seen: microTime #11
        raw: any #12
        tags: [string] #13
        scores: [int32] #14
        groups: {[string]} #15
        kids: [Animal] #16
        claws: int32 #17.1
        teeth: int32 #17.2
        seenAt: {time} #18
      `,
      AnimalList: `
        @kind
        apiVersion: string
        kind: string
        metadata: meta/v1.ListMeta #1
        items: [Animal] #2
      `,
      Unnumbered: `
        @kind
        secret: string
      `,
    },
  },
  {
    name: "meta/v1",
    group: "",
    version: "v1",
    types: { ListMeta: "\nresourceVersion: string #2\ncontinue: string #3\n" },
  },
]);
const type = registry.type("zoo/v1.Animal");
const apiVersion = "zoo.example.com/v1";

const full = {
  apiVersion,
  kind: "Animal",
  metadata: { resourceVersion: "7" },
  name: "ünïcode",
  legs: 0,
  age: -9_007_199_254_740_991,
  weight: 1.25,
  wild: true,
  photo: Buffer.from([0, 1, 255]).toString("base64"),
  food: { hay: "500m", "a key": "1Gi" },
  port: "http",
  born: "1969-12-31T23:59:59Z",
  seen: "2026-01-02T03:04:05.678901Z",
  raw: { any: [1, null, "x"] },
  tags: ["a", ""],
  scores: [1, -1],
  groups: { a: ["x", "y"], b: [] },
  kids: [{ name: "kid", port: 80 }],
  claws: 18,
  seenAt: { here: "2026-01-01T00:00:00Z", never: null },
};

test("an object survives protobuf whole", () => {
  assert.deepEqual(decodeProtobuf(encodeProtobuf(type, full, registry), registry), full);
});

test("the bytes are those of Kubernetes' own encoding", () => {
  const bytes = encodeProtobuf(type, { apiVersion: "v", kind: "Animal", name: "x", legs: 4 }, registry);
  assert.equal(
    bytes.toString("latin1"),
    "k8s\0\x0a\x0b\x0a\x01v\x12\x06Animal\x12\x05\x12\x01x\x18\x04\x1a\x00\x22\x00",
  );
  // Embedded messages, and a list inside a map: a message around its items.
  assert.deepEqual([...encodeMessage(type, { claws: 1, teeth: 2 }, registry)], [0x8a, 1, 4, 8, 1, 16, 2]);
  assert.deepEqual(
    [...encodeMessage(type, { groups: { k: ["v"] } }, registry)],
    [0x7a, 8, 10, 1, 0x6b, 18, 3, 10, 1, 0x76],
  );
});

test("unknown numbers are skipped, and packed lists are read", () => {
  assert.deepEqual(decodeMessage(type, Buffer.from([0xf8, 6, 1, 18, 1, 0x78, 0x72, 2, 1, 2]), registry), {
    name: "x",
    scores: [1, 2],
  });
});

test("a list is made of messages that are already encoded", () => {
  const items = [full, { name: "b" }].map((item) => encodeMessage(type, item, registry));
  const list = { apiVersion, kind: "AnimalList", metadata: { resourceVersion: "9" } };
  const { apiVersion: _, kind: __, ...bare } = full;
  assert.deepEqual(decodeProtobuf(encodeProtobufList(list, items, registry), registry), {
    ...list,
    items: [bare, { name: "b" }],
  });
});

test("a watch event is framed by its length", () => {
  const frame = protobufWatchFrame("ADDED", Buffer.from("k8s\0..."));
  assert.equal(frame.readUInt32BE(0), frame.length - 4);
  assert.equal(frame.subarray(4).toString("latin1"), "\x0a\x05ADDED\x12\x09\x0a\x07k8s\0...");
});

test("malformed protobuf is a 400", () => {
  const bytes = encodeProtobuf(type, full, registry);
  const is400 = (error: any) => error.code === 400;
  assert.throws(() => decodeProtobuf(Buffer.from("{}"), registry), is400);
  assert.throws(() => decodeProtobuf(Buffer.alloc(0), registry), is400);
  // A cut inside the envelope, and several inside the message.
  for (const length of [10, 40, 60, 100, 150])
    assert.throws(() => decodeProtobuf(bytes.subarray(0, length), registry), is400, `cut at ${length}`);
  assert.throws(
    () => decodeProtobuf(encodeProtobuf(type, { apiVersion: "v1", kind: "None" }, registry), registry),
    /no kind "None" is registered for version "v1"/,
  );
  let nested: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 500; i++) {
    const length =
      nested.length < 128 ? [nested.length] : [(nested.length & 0x7f) | 0x80, nested.length >> 7];
    nested = Buffer.concat([Buffer.from([0x82, 1, ...length]), nested]);
  }
  assert.throws(() => decodeMessage(type, nested, registry), /nested deeper/);
});

test("a type with fields that have no number is not offered as protobuf", () => {
  assert.equal(hasProtobuf(type, registry), true);
  assert.equal(hasProtobuf(registry.type("zoo/v1.Unnumbered"), registry), false);
});
