import assert from "node:assert/strict";
import { test } from "node:test";
import { applyDefaults } from "./defaults.ts";
import { parseJson } from "./json.ts";
import { normalise } from "./normalise.ts";
import { createSchemaRegistry } from "./registry.ts";
import { validateStructure } from "./structure.ts";
import { parseYaml } from "./yaml.ts";

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
        spec: Spec ={} #2
        status: Status ={} #3
      `,
      Spec: `
        name: string! ="" #1
        legs: int32? #2
        food: [Food] list(map name,kind) merge(name) #3
        weight: quantity #4
        limits: {quantity} #5
        born: time #6
        seen: microTime #7
        port: intOrString #8
        photo: bytes #9
        raw: any #10
        labels: {string} #11
        wild: boolean #12
        mood: string enum(Calm|Angry) ="Calm" #13
        owner: Owner! #14
        notes: [string]? #15
      `,
      Food: `
        name: string! ="" #1
        kind: string ="Plant" #2
        grams: int64 #3
      `,
      Owner: `
        name: string #1
      `,
      Status: `
        phase: string #1
      `,
    },
  },
]);
const type = registry.kind("zoo.example.com", "v1", "Animal")!;
const decode = (spec: unknown) => {
  const value: any = { apiVersion: "zoo.example.com/v1", kind: "Animal", spec };
  return { value, ...normalise(type, value, registry) };
};

test("unknown fields are reported with their path, and removed", () => {
  const { value, unknown, errors } = decode({ nmae: "x", food: [{ name: "hay", grasm: 3 }] });
  assert.deepEqual(unknown, ["spec.nmae", "spec.food[0].grasm"]);
  assert.deepEqual(errors, []);
  assert.deepEqual(value.spec, { food: [{ name: "hay" }] });
});

test("values of the wrong type are reported as Go's decoder does", () => {
  assert.deepEqual(decode({ name: 5 }).errors, [
    "json: cannot unmarshal number into Go struct field Spec.spec.name of type string",
  ]);
  assert.deepEqual(decode({ legs: 1.5, food: {}, wild: "yes", labels: { a: 1 } }).errors, [
    "json: cannot unmarshal number 1.5 into Go struct field Spec.spec.legs of type int32",
    "json: cannot unmarshal object into Go struct field Spec.spec.food of type []v1.Food",
    "json: cannot unmarshal string into Go struct field Spec.spec.wild of type bool",
    "json: cannot unmarshal number into Go struct field Spec.spec.labels of type string",
  ]);
  assert.deepEqual(decode("none").errors, [
    "json: cannot unmarshal string into Go struct field Animal.spec of type v1.Spec",
  ]);
  assert.match(decode({ weight: "much" }).errors[0]!, /^quantities must match the regular expression/);
  assert.match(decode({ photo: "***" }).errors[0]!, /^illegal base64 data at input byte 0$/);
  assert.match(decode({ born: "yesterday" }).errors[0]!, /^parsing time "yesterday" as/);
});

test("nulls and what Go leaves out are removed; pointers keep their zero", () => {
  const { value, errors } = decode({
    name: null,
    legs: 0,
    food: [],
    labels: {},
    wild: false,
    owner: {},
    notes: [],
    raw: { a: null },
  });
  assert.deepEqual(errors, []);
  assert.deepEqual(value.spec, { legs: 0, owner: {}, notes: [], raw: { a: null } });
});

test("quantities and times become canonical", () => {
  const { value } = decode({
    weight: 0.5,
    limits: { cpu: "1000m", memory: "1024Mi" },
    born: "2026-01-01T02:00:00.7+02:00",
    seen: "2026-01-01T00:00:00Z",
  });
  assert.deepEqual(value.spec, {
    weight: "500m",
    limits: { cpu: "1", memory: "1Gi" },
    born: "2026-01-01T00:00:00Z",
    seen: "2026-01-01T00:00:00.000000Z",
  });
});

test("defaults fill what is missing, down to the items of lists", () => {
  const value: any = { spec: { food: [{ name: "hay" }, { name: "meat", kind: "Animal" }] } };
  applyDefaults(type, value, registry);
  assert.deepEqual(value, {
    spec: {
      name: "",
      mood: "Calm",
      food: [
        { name: "hay", kind: "Plant" },
        { name: "meat", kind: "Animal" },
      ],
    },
    status: {},
  });
});

test("a missing pointer and a value outside its enum are structural errors", () => {
  assert.deepEqual(validateStructure(type, { spec: { mood: "Sad" } }, registry), [
    { reason: "FieldValueRequired", message: "Required value", field: "spec.owner" },
    {
      reason: "FieldValueNotSupported",
      message: 'Unsupported value: "Sad": supported values: "Angry", "Calm"',
      field: "spec.mood",
    },
  ]);
});

test("JSON with a key twice is found out, with its path", () => {
  const text = '{"spec":{"a":1,"b":[{"c":"{\\"x\\":1}"},{"c":1,"c":2}],"a":2}}';
  assert.deepEqual(parseJson(Buffer.from(text), { duplicates: "find" }).duplicates, [
    "spec.b[1].c",
    "spec.a",
  ]);
  assert.deepEqual(parseJson(Buffer.from(text)).duplicates, []);
  assert.deepEqual(
    parseJson(Buffer.from('{"a":{"b":1},"c":[{"b":1},{"b":2}]}'), { duplicates: "find" }).duplicates,
    [],
  );
});

test("JSON that is malformed or nested too deeply is a 400", () => {
  assert.throws(
    () => parseJson(Buffer.from("{")),
    (error: any) => error.code === 400,
  );
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  assert.throws(() => parseJson(Buffer.from(deep)), /nested deeper/);
});

test("YAML is read as Go's parser does", () => {
  const text =
    "a: 0644\nb: yes\nc: 12:30\nd: 2026-01-01\ne: '1'\nf: 1_000\n1: x\nbase: &b {k: v}\nm:\n  <<: *b\n";
  assert.deepEqual(parseYaml(Buffer.from(text)).value, {
    a: 420,
    b: true,
    c: "12:30",
    d: "2026-01-01",
    e: "1",
    f: 1000,
    "1": "x",
    base: { k: "v" },
    m: { k: "v" },
  });
  assert.deepEqual(parseYaml(Buffer.from("a: 1\nb:\n- c: 1\n  c: 2\n"), { duplicates: "find" }).duplicates, [
    "b[0].c",
  ]);
  assert.equal((parseYaml(Buffer.from("---\na: 1\n")).value as any).a, 1);
});

test("YAML that is malformed, has two documents or grows without bound is a 400", () => {
  assert.throws(
    () => parseYaml(Buffer.from("a: [")),
    (error: any) => error.code === 400,
  );
  assert.throws(() => parseYaml(Buffer.from("a: 1\n---\nb: 2\n")), /more than one YAML document/);
  const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 9; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(",")}]`,
    );
  assert.throws(
    () => parseYaml(Buffer.from(bomb.join("\n"))),
    (error: any) => error.code === 400,
  );
});
