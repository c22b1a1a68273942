import assert from "node:assert/strict";
import { test } from "node:test";
import { isDnsLabel, isDnsSubdomain, isEnvVarName, isPortName, isQualifiedName } from "./names.ts";
import { validateLabelSelector, validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

const rules = { scope: "Namespaced", validateName: isDnsSubdomain } as const;

test("good metadata has no errors", () => {
  const meta = {
    name: "a.b-c",
    generateName: "a-",
    namespace: "default",
    labels: { "example.com/app": "x", app: "" },
    annotations: { "Example.com/Note": "any text" },
    finalizers: ["example.com/hold"],
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "u", controller: true }],
  };
  assert.deepEqual(validateObjectMeta(meta, rules), []);
});

test("bad metadata has every error at once", () => {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "r", uid: "u", controller: true };
  const errors = validateObjectMeta(
    {
      name: "Bad_Name",
      labels: { "-x": "y z" },
      annotations: { big: "x".repeat(262_144) },
      finalizers: ["no/such/thing"],
      ownerReferences: [owner, { ...owner, uid: "" }],
    },
    rules,
  );
  assert.deepEqual(
    errors.map(({ field, reason }) => [field, reason]),
    [
      ["metadata.name", "FieldValueInvalid"],
      ["metadata.namespace", "FieldValueRequired"],
      ["metadata.labels", "FieldValueInvalid"],
      ["metadata.labels", "FieldValueInvalid"],
      ["metadata.annotations", "FieldValueTooLong"],
      ["metadata.ownerReferences.uid", "FieldValueInvalid"],
      ["metadata.ownerReferences", "FieldValueInvalid"],
      ["metadata.finalizers", "FieldValueInvalid"],
    ],
  );
  assert.equal(
    errors[0]!.message,
    "Invalid value: \"Bad_Name\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  );
});

test("an update may not change an identity, nor add a finalizer to what is being deleted", () => {
  const old = {
    name: "a",
    namespace: "n",
    uid: "u",
    resourceVersion: "5",
    deletionTimestamp: "2026-01-01T00:00:00Z",
    generation: 2,
  };
  assert.deepEqual(validateObjectMetaUpdate({ ...old }, old), []);
  assert.deepEqual(
    validateObjectMetaUpdate(
      { ...old, uid: "v", finalizers: ["x.io/y"], resourceVersion: undefined, generation: 1 },
      old,
    ).map(({ field }) => field),
    ["metadata.finalizers", "metadata.resourceVersion", "metadata.generation", "metadata.uid"],
  );
});

test("names are checked with upstream's messages", () => {
  assert.deepEqual(isDnsLabel("a.b"), ["must not contain dots"]);
  assert.deepEqual(isDnsSubdomain("a".repeat(254)), ["must be no more than 253 characters"]);
  assert.deepEqual(isPortName("-a--b-".repeat(3)), [
    "must be no more than 15 characters",
    "must not contain consecutive hyphens",
    "must not begin or end with a hyphen",
  ]);
  assert.match(
    isQualifiedName("a/b/c")[0]!,
    /^a valid label key must consist of .* with an optional DNS subdomain prefix/,
  );
  assert.match(isQualifiedName("/b")[0]!, /^prefix part must be non-empty$/);
  assert.deepEqual(isEnvVarName("MY VAR"), []);
  assert.equal(isEnvVarName("a=b").length, 1);
  assert.equal(isEnvVarName("é").length, 1);
});

test("a label selector in a spec is checked with its path", () => {
  assert.deepEqual(
    validateLabelSelector({ matchExpressions: [{ key: "a", operator: "In" }] }, "spec.selector").map(
      (e) => e.field,
    ),
    ["spec.selector.matchExpressions[0].values"],
  );
});
