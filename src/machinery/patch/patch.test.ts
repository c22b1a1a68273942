import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "../status.ts";
import { jsonPatch, jsonPatchOperationsMax } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { sampleRegistry } from "./sample-schema.ts";
import { strategicMergePatch } from "./strategic-merge-patch.ts";

/** Freezes all of it, as stored objects are; a write then throws. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const child of Object.values(value)) frozen(child);
  return Object.freeze(value);
}

const fails = (code: number, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StatusError, String(error));
  assert.equal(error.code, code, error.message);
  if (message) assert.match(JSON.stringify(error.status), message);
  return true;
};

const json: { name: string; object: unknown; patch: unknown[]; want: unknown }[] = [
  {
    name: "add sets a field and inserts into a list",
    object: { spec: { containers: [{ name: "b" }] } },
    patch: [
      { op: "add", path: "/spec/nodeName", value: "n" },
      { op: "add", path: "/spec/containers/0", value: { name: "a" } },
      { op: "add", path: "/spec/containers/-", value: { name: "c" } },
    ],
    want: { spec: { containers: [{ name: "a" }, { name: "b" }, { name: "c" }], nodeName: "n" } },
  },
  {
    name: "remove, replace, move, copy and test",
    object: { a: 1, b: [1, 2, 3], "x/y": { "~": true } },
    patch: [
      { op: "test", path: "/x~1y/~0", value: true },
      { op: "test", path: "/absent", value: null },
      { op: "remove", path: "/b/1" },
      { op: "replace", path: "/a", value: 2 },
      { op: "move", from: "/a", path: "/c" },
      { op: "copy", from: "/b", path: "/d" },
      { op: "add", path: "/d/-", value: 9 },
    ],
    want: { b: [1, 3], "x/y": { "~": true }, c: 2, d: [1, 3, 9] },
  },
  { name: "the whole document", object: { a: 1 }, patch: [{ op: "replace", path: "", value: {} }], want: {} },
];

for (const { name, object, patch, want } of json) {
  test(`a JSON patch: ${name}`, () => {
    assert.deepEqual(jsonPatch(frozen(object), frozen(patch)), want);
  });
}

const badJson: { name: string; patch: unknown; code: number }[] = [
  { name: "that is no list", patch: { op: "add" }, code: 400 },
  { name: "with a failing test", patch: [{ op: "test", path: "/a", value: 2 }], code: 422 },
  { name: "that removes what is not there", patch: [{ op: "remove", path: "/b" }], code: 422 },
  { name: "that replaces what is not there", patch: [{ op: "replace", path: "/b", value: 1 }], code: 422 },
  { name: "below a missing parent", patch: [{ op: "add", path: "/b/c", value: 1 }], code: 422 },
  { name: "past the end of a list", patch: [{ op: "add", path: "/l/3", value: 1 }], code: 422 },
  { name: "into a function of JavaScript", patch: [{ op: "add", path: "/toString/x", value: 1 }], code: 422 },
  { name: "that moves into itself", patch: [{ op: "move", from: "/l", path: "/l/0" }], code: 422 },
  { name: "of an unknown operation", patch: [{ op: "increment", path: "/a" }], code: 422 },
  {
    name: "that doubles the object without end",
    patch: Array.from({ length: 60 }, (_, at) => ({ op: "copy", from: "", path: `/k${at}` })),
    code: 413,
  },
  {
    name: "of too many operations",
    patch: Array.from({ length: jsonPatchOperationsMax + 1 }, () => ({ op: "test", path: "/a", value: 1 })),
    code: 413,
  },
];

for (const { name, patch, code } of badJson) {
  test(`a JSON patch ${name} is refused`, () => {
    assert.throws(() => jsonPatch(frozen({ a: 1, l: [1] }), patch), fails(code));
  });
}

test("a JSON patch shares what it does not touch", () => {
  const object = frozen({ spec: { a: 1 }, status: { b: 2 } });
  const patched = jsonPatch(object, [{ op: "replace", path: "/spec/a", value: 3 }]);
  assert.equal(patched.status, object.status);
  assert.equal(object.spec.a, 1);
});

test("a merge patch follows RFC 7386", () => {
  const table: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  ];
  for (const [object, patch, want] of table)
    assert.deepEqual(mergePatch(frozen(object), frozen(patch)), want);
  assert.throws(() => mergePatch({}, []), fails(400));
  const object = frozen({ a: { b: 1 } });
  assert.equal(
    mergePatch(object, { a: { b: 1, c: null } }),
    object,
    "what changes nothing returns the same object",
  );
  const hostile = mergePatch({ data: {} }, JSON.parse('{"data":{"__proto__":{"polluted":"yes"}}}'));
  assert.equal(hostile.data.polluted, undefined);
  assert.ok(Object.hasOwn(hostile.data, "__proto__"));
});

const pod = (spec: object) => ({ metadata: { name: "p" }, spec });
const strategic: { name: string; type?: string; object: unknown; patch: unknown; want: unknown }[] = [
  {
    name: "containers are merged by name",
    object: pod({
      containers: [
        { name: "a", image: "1", args: ["x"] },
        { name: "b", image: "1" },
      ],
    }),
    patch: { spec: { containers: [{ name: "b", image: "2" }] } },
    want: pod({
      containers: [
        { name: "a", image: "1", args: ["x"] },
        { name: "b", image: "2" },
      ],
    }),
  },
  {
    name: "a new container comes first, as upstream orders it",
    object: pod({ containers: [{ name: "a" }] }),
    patch: { spec: { containers: [{ name: "b", image: "2", command: null }] } },
    want: pod({ containers: [{ name: "b", image: "2" }, { name: "a" }] }),
  },
  {
    name: "a list without a merge strategy is replaced",
    object: pod({ containers: [{ name: "a", args: ["1", "2"] }], tolerations: [{ key: "k" }] }),
    patch: { spec: { containers: [{ name: "a", args: ["3"] }], tolerations: [{ key: "l" }] } },
    want: pod({ containers: [{ name: "a", args: ["3"] }], tolerations: [{ key: "l" }] }),
  },
  {
    name: "$patch: delete removes an item",
    object: pod({ containers: [{ name: "a" }, { name: "b" }] }),
    patch: { spec: { containers: [{ name: "a", $patch: "delete" }] } },
    want: pod({ containers: [{ name: "b" }] }),
  },
  {
    name: "$patch: replace in a list replaces it",
    object: pod({ containers: [{ name: "a" }, { name: "b" }] }),
    patch: { spec: { containers: [{ name: "c" }, { $patch: "replace" }] } },
    want: pod({ containers: [{ name: "c" }] }),
  },
  {
    name: "$patch: replace and delete on an object",
    object: { metadata: { labels: { a: "1" }, annotations: { b: "2" } } },
    patch: { metadata: { labels: { $patch: "replace", c: "3" }, annotations: { $patch: "delete" } } },
    want: { metadata: { labels: { c: "3" }, annotations: {} } },
  },
  {
    name: "null removes a field, and nothing where there is none",
    object: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { a: null, c: null }, annotations: { x: null, y: "1" } } },
    want: { metadata: { labels: { b: "2" }, annotations: { y: "1" } } },
  },
  {
    name: "primitives are merged and deleted",
    object: { metadata: { finalizers: ["a", "b"] } },
    patch: { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"], finalizers: ["c", "b"] } },
    want: { metadata: { finalizers: ["c", "b"] } },
  },
  {
    name: "$setElementOrder orders a list and keeps what only the server has",
    object: pod({ containers: [{ name: "a" }, { name: "server" }, { name: "b" }, { name: "c" }] }),
    patch: {
      spec: {
        "$setElementOrder/containers": [{ name: "c" }, { name: "b" }, { name: "a" }, { name: "d" }],
        containers: [
          { name: "b", image: "2" },
          { name: "d", image: "4" },
        ],
      },
    },
    want: pod({
      containers: [
        { name: "server" },
        { name: "c" },
        { name: "b", image: "2" },
        { name: "a" },
        { name: "d", image: "4" },
      ],
    }),
  },
  {
    name: "$setElementOrder alone reorders, and with a deletion",
    object: pod({ containers: [{ name: "a" }, { name: "b" }, { name: "c" }] }),
    patch: {
      spec: {
        "$setElementOrder/containers": [{ name: "c" }, { name: "a" }],
        containers: [{ name: "b", $patch: "delete" }],
      },
    },
    want: pod({ containers: [{ name: "c" }, { name: "a" }] }),
  },
  {
    name: "$setElementOrder of primitives",
    object: { metadata: { finalizers: ["a", "b"] } },
    patch: { metadata: { "$setElementOrder/finalizers": ["b", "c", "a"], finalizers: ["c"] } },
    want: { metadata: { finalizers: ["b", "c", "a"] } },
  },
  {
    name: "$retainKeys drops the other members of a union",
    type: "apps/v1.Deployment",
    object: { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } },
    patch: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
    want: { spec: { strategy: { type: "Recreate" } } },
  },
  {
    name: "$retainKeys in a list item",
    object: pod({ volumes: [{ name: "v", emptyDir: {} }] }),
    patch: {
      spec: { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
    },
    want: pod({ volumes: [{ name: "v", hostPath: { path: "/x" } }] }),
  },
  {
    name: "ports merge by number alone, as the merge key says",
    object: pod({ containers: [{ name: "a", ports: [{ containerPort: 80, protocol: "TCP" }] }] }),
    patch: { spec: { containers: [{ name: "a", ports: [{ containerPort: 80, name: "http" }] }] } },
    want: pod({ containers: [{ name: "a", ports: [{ containerPort: 80, protocol: "TCP", name: "http" }] }] }),
  },
  {
    name: "a directive with nothing to act on leaves nothing behind",
    object: pod({ containers: [] }),
    patch: {
      spec: { containers: [{ name: "a", $patch: "delete" }], volumes: [{ name: "v", $patch: "delete" }] },
    },
    want: pod({ containers: [], volumes: [] }),
  },
];

for (const { name, type = "core/v1.Pod", object, patch, want } of strategic) {
  test(`a strategic merge patch: ${name}`, () => {
    const patched = strategicMergePatch(
      sampleRegistry.type(type),
      frozen(object),
      frozen(patch),
      sampleRegistry,
    );
    assert.deepEqual(patched, want);
  });
}

const badStrategic: { name: string; patch: unknown; code: number; message?: RegExp }[] = [
  {
    name: "an item without its merge key",
    patch: { spec: { containers: [{ image: "x" }] } },
    code: 400,
    message: /does not contain declared merge key: name/,
  },
  {
    name: "an unknown directive",
    patch: { spec: { $patch: "merge" } },
    code: 400,
    message: /unknown patch type/,
  },
  {
    name: "an order that contradicts the list",
    patch: {
      spec: {
        "$setElementOrder/containers": [{ name: "b" }, { name: "a" }],
        containers: [{ name: "a" }, { name: "b" }],
      },
    },
    code: 400,
    message: /setElementOrder/,
  },
  {
    name: "$retainKeys without a key it sets",
    patch: { spec: { $retainKeys: [], nodeName: "n" } },
    code: 400,
  },
  { name: "a list of lists", patch: { spec: { containers: [[1]] } }, code: 422 },
  {
    name: "an order for no list",
    patch: { spec: { "$setElementOrder/nothing": [] } },
    code: 400,
    message: /unable to find/,
  },
];

for (const { name, patch, code, message } of badStrategic) {
  test(`a strategic merge patch with ${name} is refused`, () => {
    const object = pod({ containers: [{ name: "a" }] });
    const type = sampleRegistry.type("core/v1.Pod");
    assert.throws(() => strategicMergePatch(type, object, patch, sampleRegistry), fails(code, message));
  });
}
