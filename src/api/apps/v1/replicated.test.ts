import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../../machinery/index.ts";
import { container, decoded, errorsOf, kindNamed, lines, updateErrorsOf } from "../../kind.suite.ts";

const labels = { app: "web" };
const template = (spec: object = {}, metadata: object = { labels }) => ({
  metadata,
  spec: { containers: [container()], ...spec },
});
const workload = (spec: object = {}) => ({
  // What is undefined here is not there.
  spec: JSON.parse(JSON.stringify({ selector: { matchLabels: labels }, template: template(), ...spec })),
});

test("a deployment gets its numbers and its strategy", () => {
  const { spec } = decoded<KubeObject>("Deployment", workload());
  assert.equal(spec.replicas, 1);
  assert.equal(spec.revisionHistoryLimit, 10);
  assert.equal(spec.progressDeadlineSeconds, 600);
  assert.deepEqual(spec.strategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" },
  });
  assert.equal(spec.template.spec.restartPolicy, "Always");
  assert.equal(spec.template.spec.enableServiceLinks, undefined, "that is a pod's own default");
});

test("a replica set gets one replica", () => {
  assert.equal(decoded<KubeObject>("ReplicaSet", workload()).spec.replicas, 1);
});

const shared: [what: string, spec: object, ...errors: string[]][] = [
  ["nothing is wrong with a plain one", {}],
  [
    "the number of replicas is not negative",
    { replicas: -1 },
    "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
  ],
  [
    "there is a selector",
    { selector: undefined },
    "spec.selector: Required value",
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [
    "the selector selects something",
    { selector: {} },
    "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
  ],
  [
    "the selector selects the template",
    { selector: { matchLabels: { app: "api" } } },
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ],
  [
    "the template's pods are always restarted",
    { template: template({ restartPolicy: "Never", activeDeadlineSeconds: 1 }) },
    `spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`,
    "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
  ],
  [
    "the template is checked like a pod",
    {
      template: template({
        containers: [container({ image: "", volumeMounts: [{ name: "v", mountPath: "/v" }] })],
      }),
    },
    "spec.template.spec.containers[0].image: Required value",
    `spec.template.spec.containers[0].volumeMounts[0].name: Not found: "v"`,
  ],
  [
    "what no node can do is refused in the template",
    { template: template({ resourceClaims: [{ name: "a", resourceClaimName: "b" }] }) },
    "spec.template.spec.resourceClaims: Forbidden: dynamic resource allocation is not served yet",
  ],
];

for (const kind of ["Deployment", "ReplicaSet"]) {
  for (const [what, spec, ...errors] of shared) {
    test(`in a ${kind}, ${what}`, () => assert.deepEqual(errorsOf(kind, workload(spec)), errors));
  }
  test(`a ${kind}'s selector stays`, () => {
    const other = { app: "web", tier: "a" };
    assert.deepEqual(
      updateErrorsOf(
        kind,
        workload({ template: template({}, { labels: other }) }),
        workload({ selector: { matchLabels: other }, template: template({}, { labels: other }) }),
      ),
      ['spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"a"}}: field is immutable'],
    );
  });
  test(`a ${kind} can be scaled`, () => {
    const { scale } = kindNamed(kind);
    const object = decoded<KubeObject>(kind, workload({ replicas: 3 }));
    object.status = { replicas: 2 };
    scale!.setReplicas(object, 5);
    assert.deepEqual(
      [scale!.specReplicas(object), scale!.statusReplicas(object), scale!.selector(object)],
      [5, 2, "app=web"],
    );
  });
}

const strategies: [what: string, strategy: object, ...errors: string[]][] = [
  ["some pods may go before others come", { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } }],
  [
    "one of the two numbers is not zero",
    { rollingUpdate: { maxUnavailable: 0, maxSurge: "0%" } },
    "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
  ],
  [
    "no more than all may be gone",
    { rollingUpdate: { maxUnavailable: "101%" } },
    `spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%`,
  ],
  [
    "a part is a number or a percentage",
    { rollingUpdate: { maxSurge: "half" } },
    `spec.strategy.rollingUpdate.maxSurge: Invalid value: "half": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`,
  ],
  [
    "there is nothing to say about recreation",
    { type: "Recreate", rollingUpdate: { maxSurge: 1 } },
    "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
  ],
  [
    "the strategy is known",
    { type: "BlueGreen" },
    `spec.strategy: Unsupported value: {"type":"BlueGreen"}: supported values: "Recreate", "RollingUpdate"`,
  ],
];
for (const [what, strategy, ...errors] of strategies) {
  test(`in a deployment's strategy, ${what}`, () =>
    assert.deepEqual(errorsOf("Deployment", workload({ strategy })), errors));
}

test("a deployment has longer for progress than its pods to become available", () => {
  assert.deepEqual(errorsOf("Deployment", workload({ minReadySeconds: 10, progressDeadlineSeconds: 10 })), [
    "spec.progressDeadlineSeconds: Invalid value: 10: must be greater than minReadySeconds",
  ]);
});

test("a deployment's status counts what is there", () => {
  const { strategy } = kindNamed("Deployment");
  const object = decoded<KubeObject>("Deployment", workload());
  object.status = { replicas: 1, readyReplicas: 2, availableReplicas: 3, collisionCount: 1 };
  const old = { ...object, status: { collisionCount: 2 } };
  assert.deepEqual(lines(strategy.validateStatusUpdate!(object, old)), [
    "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
    "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
    "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    "status.collisionCount: Invalid value: 1: cannot be decremented",
  ]);
});

test("a new annotation is a new generation of a deployment", () => {
  const { strategy } = kindNamed("Deployment");
  const old = decoded<KubeObject>("Deployment", { ...workload(), metadata: { generation: 3 } });
  const object = decoded<KubeObject>("Deployment", {
    ...workload(),
    metadata: { generation: 3, annotations: { a: "b" } },
  });
  strategy.prepareForUpdate!(object, old);
  assert.equal(object.metadata.generation, 4);
});

test("a deployment shows how far it is", () => {
  const object = decoded<KubeObject>("Deployment", workload({ replicas: 3 }));
  object.status = { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 };
  const cells = kindNamed("Deployment").columns.map((column) => column.value(object, 0));
  assert.deepEqual(cells, ["x", "1/3", 2, 1, "<unknown>", "main", "nginx:1", "app=web"]);
});
