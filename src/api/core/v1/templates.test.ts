import assert from "node:assert/strict";
import { test } from "node:test";
import { decoded, errorsOf, kindNamed, lines } from "../../kind.suite.ts";

const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "c", image: "i" }] },
};

test("a ReplicationController has its template's labels as selector and as its own, and one replica", () => {
  const rc = decoded<any>("ReplicationController", { metadata: { name: "web" }, spec: { template } });
  assert.deepEqual(rc.spec.selector, { app: "web" });
  assert.deepEqual(rc.metadata.labels, { app: "web" });
  assert.equal(rc.spec.replicas, 1);
  assert.equal(rc.spec.template.spec.restartPolicy, "Always");
  assert.deepEqual(errorsOf("ReplicationController", rc), []);
});

for (const [what, spec, errors] of [
  ["no selector and no template", {}, ["spec.selector: Required value", "spec.template: Required value"]],
  [
    "a selector of other labels",
    { template, selector: { app: "db" } },
    [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  [
    "a selector of what is no label",
    { template, selector: { app: "-web-" } },
    [
      'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
    ],
  ],
  [
    "fewer replicas than none",
    { template, replicas: -1 },
    ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
  ],
  [
    "pods that end",
    {
      template: { ...template, spec: { ...template.spec, restartPolicy: "Never", activeDeadlineSeconds: 5 } },
    },
    [
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController is not Supported",
    ],
  ],
] as const) {
  test(`a ReplicationController with ${what} is refused`, () => {
    const rc = decoded<any>("ReplicationController", { metadata: { name: "web" }, spec });
    assert.deepEqual(errorsOf("ReplicationController", rc), errors);
  });
}

test("a ReplicationController's status counts no more ready pods than there are", () => {
  const { strategy } = kindNamed("ReplicationController");
  const rc = decoded<any>("ReplicationController", {
    metadata: { name: "web" },
    spec: { template },
    status: { replicas: 1, readyReplicas: 2 },
  });
  assert.deepEqual(lines(strategy.validateStatusUpdate!(rc, rc)), [
    "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
  ]);
});

test("a PodTemplate's template has a pod's defaults and must be valid", () => {
  const good = decoded<any>("PodTemplate", { metadata: { name: "t" }, template });
  assert.equal(good.template.spec.dnsPolicy, "ClusterFirst");
  assert.deepEqual(errorsOf("PodTemplate", good), []);
  const cells = kindNamed("PodTemplate").columns.map((column) => column.value(good, 0));
  assert.deepEqual(cells, ["t", "c", "i", "app=web"]);
  const bad = decoded<any>("PodTemplate", {
    metadata: { name: "t" },
    template: { spec: { containers: [] } },
  });
  assert.deepEqual(errorsOf("PodTemplate", bad), ["template.spec.containers: Required value"]);
});

test("a negative grace period is one second in a pod, and is warned of in a template", () => {
  const spec = { ...template.spec, terminationGracePeriodSeconds: -1 };
  const pod = decoded<any>("Pod", { metadata: { name: "p" }, spec });
  assert.equal(pod.spec.terminationGracePeriodSeconds, 1);
  const kept = decoded<any>("PodTemplate", { metadata: { name: "t" }, template: { spec } });
  assert.equal(kept.template.spec.terminationGracePeriodSeconds, -1);
  assert.deepEqual(kindNamed("PodTemplate").strategy.warnings!(kept, undefined), [
    "template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
  ]);
});
