import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject, ManagedFieldsEntry } from "../meta.ts";
import { sampleRegistry } from "../patch/sample-schema.ts";
import { StatusError } from "../status.ts";
import { applyPatch } from "./apply-patch.ts";
import { difference, intersection, parseFieldSet, pathsOf, union } from "./field-set.ts";
import { trackUpdate } from "./track-update.ts";

const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const registry = sampleRegistry;
const deploymentType = registry.type("apps/v1.Deployment");
const podType = registry.type("core/v1.Pod");

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const child of Object.values(value)) frozen(child);
  return Object.freeze(value);
}

const deployment = (spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default", ...metadata },
  spec,
});

interface Step {
  applied: KubeObject;
  live?: KubeObject;
  manager?: string;
  force?: boolean;
  atMs?: number;
}
const apply = ({ applied, live, manager = "a", force = false, atMs = nowMs }: Step) =>
  applyPatch({
    type: deploymentType,
    registry,
    live: live && frozen(live),
    applied: frozen(applied),
    manager,
    force,
    apiVersion: "apps/v1",
    nowMs: atMs,
    resetFields: ["status"],
  }).object;

const update = (
  before: KubeObject | undefined,
  after: KubeObject,
  manager = "kubectl-edit",
  subresource?: string,
): KubeObject => ({
  ...after,
  metadata: {
    ...after.metadata,
    managedFields: trackUpdate({
      type: deploymentType,
      registry,
      before: before && frozen(before),
      after: frozen(after),
      manager,
      subresource,
      apiVersion: "apps/v1",
      nowMs,
    }),
  },
});

const entry = (object: KubeObject, manager: string): ManagedFieldsEntry | undefined =>
  object.metadata.managedFields?.find((e) => e.manager === manager);
const owned = (object: KubeObject, manager: string) =>
  pathsOf((entry(object, manager)?.fieldsV1 ?? {}) as any);

const failure = (fn: () => unknown): StatusError => {
  try {
    fn();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return error;
  }
  return assert.fail("did not fail");
};

test("a created pod's fields belong to its creator, as FieldsV1 writes them", () => {
  const after: KubeObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", namespace: "default", uid: "u", labels: { app: "x" } },
    spec: {
      containers: [
        {
          name: "nginx",
          image: "nginx",
          resources: {},
          ports: [{ containerPort: 80, protocol: "TCP" }],
          args: ["a"],
        },
      ],
      restartPolicy: "Always",
      securityContext: {},
    },
    status: {},
  };
  const managedFields = trackUpdate({
    type: podType,
    registry,
    before: undefined,
    after: frozen(after),
    manager: "kubectl-run",
    apiVersion: "v1",
    nowMs,
  });
  assert.deepEqual(managedFields, [
    {
      manager: "kubectl-run",
      operation: "Update",
      apiVersion: "v1",
      time: "2026-01-02T03:04:05Z",
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
        "f:spec": {
          "f:containers": {
            'k:{"name":"nginx"}': {
              ".": {},
              "f:args": {},
              "f:image": {},
              "f:name": {},
              "f:ports": {
                ".": {},
                'k:{"containerPort":80,"protocol":"TCP"}': {
                  ".": {},
                  "f:containerPort": {},
                  "f:protocol": {},
                },
              },
              "f:resources": {},
            },
          },
          "f:restartPolicy": {},
          "f:securityContext": {},
        },
      },
    },
  ]);
});

test("an update takes over what it changed, and nothing else", () => {
  const made = update(
    undefined,
    deployment({ replicas: 1, template: { spec: { containers: [{ name: "c", image: "1" }] } } }),
    "creator",
  );
  const scaled = update(made, deployment({ replicas: 2, template: made.spec.template }), "scaler");
  assert.deepEqual(owned(scaled, "scaler"), [".spec.replicas"]);
  assert.ok(!owned(scaled, "creator").includes(".spec.replicas"));
  assert.ok(owned(scaled, "creator").includes('.spec.template.spec.containers[name="c"].image'));
});

test("an update that changes nothing keeps the entries as they are", () => {
  const made = update(undefined, deployment({ replicas: 1 }), "creator");
  assert.deepEqual(
    update(made, deployment({ replicas: 1 }), "other").metadata.managedFields,
    made.metadata.managedFields,
  );
});

test("a field that goes away has no owner any more", () => {
  const made = update(undefined, deployment({ replicas: 1 }, { labels: { a: "1", b: "2" } }), "creator");
  const after = update(made, deployment({ replicas: 1 }, { labels: { a: "1" } }), "other");
  assert.equal(entry(after, "other"), undefined);
  assert.deepEqual(owned(after, "creator"), [".metadata.labels", ".metadata.labels.a", ".spec.replicas"]);
});

test("a write to a subresource has its own entry", () => {
  const made = update(undefined, deployment({ replicas: 1 }), "controller");
  const after = update(made, { ...made, status: { replicas: 1 } }, "controller", "status");
  assert.deepEqual(
    after.metadata.managedFields?.map(({ subresource, fieldsV1 }) => [subresource, fieldsV1]),
    [
      [undefined, { "f:spec": { "f:replicas": {} } }],
      ["status", { "f:status": { "f:replicas": {} } }],
    ],
  );
});

test("managedFields: [] resets, and stays so until someone applies", () => {
  const made = update(undefined, deployment({ replicas: 1 }), "creator");
  const reset = update(made, deployment({ replicas: 1 }, { managedFields: [] }));
  assert.equal(reset.metadata.managedFields, undefined);
  const later = update(reset, deployment({ replicas: 2 }));
  assert.equal(later.metadata.managedFields, undefined);
  const applied = apply({ live: later, applied: deployment({ replicas: 2 }), manager: "a" });
  assert.deepEqual(owned(applied, "before-first-apply"), [".spec.replicas"]);
  assert.deepEqual(owned(applied, "a"), [".spec.replicas"]);
});

test("invalid managedFields from a client are ignored", () => {
  const made = update(undefined, deployment({ replicas: 1 }), "creator");
  for (const managedFields of [
    [{ operation: "Steal" }],
    [{ operation: "Update", apiVersion: "v1", fieldsType: "FieldsV2" }],
    ["x"],
  ]) {
    const after = update(made, deployment({ replicas: 1 }, { managedFields }));
    assert.deepEqual(after.metadata.managedFields, made.metadata.managedFields);
  }
});

test("a client may edit managedFields, in its own spelling", () => {
  const made = update(
    undefined,
    deployment({ template: { spec: { containers: [{ name: "c", image: "1" }] } } }),
    "creator",
  );
  const managedFields = [
    {
      manager: "m",
      operation: "Update",
      apiVersion: "apps/v1",
      fieldsType: "FieldsV1",
      fieldsV1: {
        "f:spec": {
          "f:template": { "f:spec": { "f:containers": { 'k:{ "name" : "c" }': { "f:image": {} } } } },
        },
        "x:later": {},
      },
    },
  ];
  const after = update(made, { ...made, metadata: { ...made.metadata, managedFields } as any });
  assert.deepEqual(owned(after, "m"), ['.spec.template.spec.containers[name="c"].image']);
});

test("the eleventh updater makes the two oldest share an entry", () => {
  let object = update(undefined, deployment({}, { labels: { l0: "x" } }), "m0");
  for (let i = 1; i <= 11; i++) {
    object = update(
      object,
      deployment({}, { labels: { ...object.metadata.labels, [`l${i}`]: "x" } }),
      `m${i}`,
    );
  }
  const managers = object.metadata.managedFields!.map(({ manager }) => manager);
  assert.equal(managers.length, 10);
  assert.ok(managers.includes("ancient-changes"));
});

test("an apply that makes an object owns what it names", () => {
  const made = apply({
    applied: deployment({
      replicas: 3,
      selector: { matchLabels: { a: "b" } },
      template: { spec: { containers: [{ name: "c", ports: [{ containerPort: 80 }] }] } },
    }),
  });
  assert.deepEqual(owned(made, "a"), [
    ".spec.replicas",
    ".spec.selector",
    '.spec.template.spec.containers[name="c"]',
    '.spec.template.spec.containers[name="c"].name',
    '.spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"]',
    '.spec.template.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort',
  ]);
  assert.equal(entry(made, "a")?.operation, "Apply");
  assert.equal(made.spec.replicas, 3);
});

test("an apply conflicts with the manager that changed the field, and force takes it over", () => {
  const made = apply({ applied: deployment({ replicas: 3 }) });
  const edited = update(made, deployment({ replicas: 5 }));
  const error = failure(() => apply({ live: edited, applied: deployment({ replicas: 3 }) }));
  assert.equal(error.code, 409);
  assert.equal(error.reason, "Conflict");
  assert.equal(
    error.message,
    'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas',
  );
  assert.deepEqual(error.status.details?.causes, [
    {
      reason: "FieldManagerConflict",
      message: 'conflict with "kubectl-edit" using apps/v1',
      field: ".spec.replicas",
    },
  ]);
  const forced = apply({ live: edited, applied: deployment({ replicas: 3 }), force: true });
  assert.equal(forced.spec.replicas, 3);
  assert.equal(entry(forced, "kubectl-edit"), undefined);
});

test("several conflicts are listed by manager", () => {
  const made = apply({ applied: deployment({ replicas: 3 }, { labels: { a: "1", b: "1" } }), manager: "x" });
  const error = failure(() =>
    apply({ live: made, applied: deployment({ replicas: 4 }, { labels: { a: "2" } }), manager: "y" }),
  );
  assert.equal(
    error.message,
    'Apply failed with 2 conflicts: conflicts with "x":\n- .metadata.labels.a\n- .spec.replicas',
  );
});

test("appliers who agree share a field, and it goes with the last of them", () => {
  const one = apply({ applied: deployment({ replicas: 3 }, { labels: { a: "1" } }), manager: "x" });
  const two = apply({ live: one, applied: deployment({}, { labels: { a: "1" } }), manager: "y" });
  const leftX = apply({ live: two, applied: deployment({ replicas: 3 }), manager: "x" });
  assert.deepEqual(leftX.metadata.labels, { a: "1" }, "y still applies it");
  const { spec: _, ...bare } = deployment({});
  const leftY = apply({ live: leftX, applied: bare as KubeObject, manager: "y" });
  assert.equal(leftY.metadata.labels, undefined);
  assert.equal(leftY.spec.replicas, 3);
  assert.equal(entry(leftY, "y"), undefined, "who owns nothing has no entry");
});

test("what is no longer applied is removed, but not an item that an updater added", () => {
  const containers = [
    { name: "a", image: "1" },
    { name: "b", image: "1" },
  ];
  const made = apply({ applied: deployment({ template: { spec: { containers } } }) });
  const edited = update(
    made,
    deployment({
      template: {
        spec: { containers: [containers[0], { ...containers[1], args: ["x"] }, { name: "injected" }] },
      },
    }),
    "injector",
  );
  const after = apply({
    live: edited,
    applied: deployment({ template: { spec: { containers: [containers[0]] } } }),
  });
  assert.deepEqual(after.spec.template.spec.containers, [containers[0], { name: "injected" }]);
  const unedited = apply({
    live: made,
    applied: deployment({ template: { spec: { containers: [containers[0]] } } }),
  });
  assert.deepEqual(unedited.spec.template.spec.containers, [containers[0]]);
});

test("sets are owned item by item, atomic fields whole", () => {
  const one = apply({
    applied: deployment({ selector: { matchLabels: { a: "1" } } }, { finalizers: ["x/a"] }),
    manager: "x",
  });
  const two = apply({ live: one, applied: deployment({}, { finalizers: ["x/b"] }), manager: "y" });
  assert.deepEqual(two.metadata.finalizers, ["x/a", "x/b"]);
  const without = apply({
    live: two,
    applied: deployment({ selector: { matchLabels: { a: "1" } } }),
    manager: "x",
  });
  assert.deepEqual(without.metadata.finalizers, ["x/b"]);
  const error = failure(() =>
    apply({ live: without, applied: deployment({ selector: { matchLabels: { b: "2" } } }), manager: "y" }),
  );
  assert.match(error.message, /conflict with "x": \.spec\.selector$/);
});

test("the applied order of items wins, the live ones keep their places", () => {
  const live = apply({ applied: deployment({}, { finalizers: ["x/1", "x/2", "x/3", "x/4"] }), manager: "x" });
  const after = apply({ live, applied: deployment({}, { finalizers: ["x/3", "x/1", "x/5"] }), manager: "y" });
  assert.deepEqual(
    after.metadata.finalizers,
    ["x/2", "x/3", "x/1", "x/5", "x/4"].sort(
      (a, b) => after.metadata.finalizers!.indexOf(a) - after.metadata.finalizers!.indexOf(b),
    ),
  );
  assert.ok(after.metadata.finalizers!.indexOf("x/3") < after.metadata.finalizers!.indexOf("x/1"));
});

test("applying the same again changes nothing, not even the time", () => {
  const applied = deployment({ replicas: 3 }, { labels: { a: "1" } });
  const made = apply({ applied });
  const again = apply({ live: made, applied, atMs: nowMs + 60_000 });
  assert.deepEqual(again, made);
});

test("status in an applied configuration is not owned by an endpoint that does not write it", () => {
  const made = apply({ applied: { ...deployment({ replicas: 1 }), status: { replicas: 7 } } });
  assert.deepEqual(owned(made, "a"), [".spec.replicas"]);
});

test("a configuration that does not fit its type is refused with the path", () => {
  const table: [KubeObject, RegExp][] = [
    [
      deployment({ replica: 1 }),
      /^failed to create typed patch object \(default\/web; apps\/v1, Kind=Deployment\): \.spec\.replica: field not declared in schema$/,
    ],
    [deployment({}, { labels: ["a"] }), /\.metadata\.labels: expected map/],
    [
      deployment({ template: { spec: { containers: {} } } }),
      /\.spec\.template\.spec\.containers: expected list/,
    ],
    [
      deployment({ template: { spec: { containers: [{ name: "a" }, { name: "a" }] } } }),
      /duplicate entries for key/,
    ],
    [deployment({ template: { spec: { containers: [{ image: "a" }] } } }), /omits all key fields/],
    [deployment({}, { managedFields: [] }), /metadata\.managedFields must be nil/],
    [{ ...deployment({}), apiVersion: "apps/v2" }, /Incorrect version specified in apply patch/],
  ];
  for (const [applied, message] of table) {
    const error = failure(() => apply({ applied }));
    assert.equal(error.code, 400);
    assert.match(error.message, message);
  }
});

test("sets of fields: union, intersection and difference", () => {
  const a = parseFieldSet({ "f:a": {}, "f:b": { ".": {}, "f:c": {} }, "f:d": { "f:e": {} } })!;
  const b = parseFieldSet({ "f:b": { "f:c": {}, "f:x": {} }, "f:d": {} })!;
  assert.deepEqual(union(a, b), {
    "f:a": {},
    "f:b": { ".": {}, "f:c": {}, "f:x": {} },
    "f:d": { ".": {}, "f:e": {} },
  });
  assert.deepEqual(intersection(a, b), { "f:b": { "f:c": {} } });
  assert.deepEqual(difference(a, b), { "f:a": {}, "f:b": {}, "f:d": { "f:e": {} } });
  assert.deepEqual(difference(b, a), { "f:b": { "f:x": {} }, "f:d": {} });
});
