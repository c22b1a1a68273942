import assert from "node:assert/strict";
import { test } from "node:test";
import type { appsv1 } from "../../api/index.ts";
import { newSetAnnotations, sameTemplate, sizeAnnotations, templateHash } from "./revision.ts";
import { isScaling, newSetReplicas, proportionalStep, rollingStep } from "./rollout.ts";

const deployment = (replicas: number, maxSurge: number | string, maxUnavailable: number | string) =>
  ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "d" },
    spec: { replicas, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } } },
  }) as appsv1.Deployment;

let age = 0;
const set = (name: string, replicas: number, available = replicas, of?: appsv1.Deployment) =>
  ({
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      creationTimestamp: new Date(age++ * 1000).toISOString(),
      ...(of && { annotations: sizeAnnotations(of) }),
    },
    spec: { replicas },
    status: { replicas, availableReplicas: available },
  }) as appsv1.ReplicaSet;

const sizes = (scaling: { rs: appsv1.ReplicaSet; replicas: number }[]) =>
  Object.fromEntries(scaling.map(({ rs, replicas }) => [rs.metadata.name, replicas]));

test("a rolling update first grows the new ReplicaSet into the surge", () => {
  const d = deployment(10, 3, 2);
  assert.deepEqual(sizes(rollingStep(d, set("new", 0), [set("old", 10)])), { new: 3 });
});

test("then it shrinks the old one by what may be unavailable", () => {
  const d = deployment(10, 3, 2);
  assert.deepEqual(sizes(rollingStep(d, set("new", 3, 0), [set("old", 10)])), { old: 8 });
});

test("nothing moves while the new pods are not available and no more may be lost", () => {
  const d = deployment(10, 3, 2);
  assert.deepEqual(rollingStep(d, set("new", 5, 0), [set("old", 8)]), []);
});

test("unhealthy old pods go before healthy ones", () => {
  const d = deployment(4, 1, 1);
  const [broken, good] = [set("broken", 1, 0), set("good", 3)];
  assert.deepEqual(sizes(rollingStep(d, set("new", 1, 1), [broken, good])), { broken: 0, good: 2 });
});

test("percentages of the surge round up, those of the unavailable down, and never both to nothing", () => {
  assert.equal(newSetReplicas(deployment(10, "25%", "25%"), [set("old", 10)], 0), 3);
  assert.deepEqual(sizes(rollingStep(deployment(1, 0, "25%"), set("new", 0), [set("old", 1)])), { old: 0 });
});

test("scaling in the middle of a rollout keeps the proportions", () => {
  const before = deployment(10, 3, 2);
  const [newSet, old] = [set("new", 5, 0, before), set("old", 8, 8, before)];
  const d = deployment(15, 3, 2);
  assert.ok(isScaling(d, [newSet, old]));
  assert.deepEqual(sizes(proportionalStep(d, newSet, [old])), { old: 11, new: 7 });
});

test("a single active ReplicaSet takes the whole size", () => {
  assert.deepEqual(sizes(proportionalStep(deployment(5, 1, 1), set("new", 0), [set("old", 3)])), { old: 5 });
});

test("two templates are the same when only the hash label or empty fields differ", () => {
  const spec = (template: object) => ({ template }) as appsv1.ReplicaSet["spec"];
  const plain = { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  const marked = {
    metadata: { labels: { app: "x", "pod-template-hash": "abc" }, annotations: {} },
    spec: { containers: [{ image: "i", name: "c", env: [] }] },
  };
  assert.ok(sameTemplate(spec(plain), spec(marked)));
  assert.notEqual(templateHash(plain, undefined), templateHash(plain, 1), "a collision gives another hash");
  assert.match(templateHash(plain, undefined), /^[a-z0-9]{1,10}$/);
});

test("a ReplicaSet that becomes the newest again remembers the revisions it had", () => {
  const rs = set("rs", 0);
  rs.metadata.annotations = { "deployment.kubernetes.io/revision": "1" };
  const annotations = newSetAnnotations(deployment(1, 1, 1), rs, 3);
  assert.equal(annotations["deployment.kubernetes.io/revision"], "3");
  assert.equal(annotations["deployment.kubernetes.io/revision-history"], "1");
});
