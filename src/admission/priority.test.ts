import assert from "node:assert/strict";
import { test } from "node:test";
import { cluster, pod, priorityClass, refused } from "./plugins.suite.ts";

test("priority comes from the class and from nowhere else", async () => {
  const { admit } = cluster();
  const critical = await admit({ object: pod({ priorityClassName: "system-node-critical" }) });
  assert.equal(critical.spec.priority, 2_000_001_000);
  await refused(
    admit({ object: pod({ priorityClassName: "x" }) }),
    403,
    /no PriorityClass with name x was found/,
  );
  await refused(
    admit({ object: pod({ priority: 7 }) }),
    403,
    /the integer value of priority \(7\) must not be provided/,
  );
  const old = pod({ priority: 5, preemptionPolicy: "Never" });
  const kept = await admit({ operation: "UPDATE", old, object: pod({ priority: undefined }) });
  assert.equal(kept.spec.priority, 5);
  assert.equal(kept.spec.preemptionPolicy, "Never");
});

test("a pod that names no class gets the default one; of two defaults the lower counts", async () => {
  const { admit, state } = cluster();
  assert.equal((await admit({ object: pod() })).spec.priorityClassName, undefined);
  state.priorityClasses.push(
    priorityClass("high", 500, { globalDefault: true }),
    priorityClass("low", 100, { globalDefault: true, preemptionPolicy: "Never" }),
  );
  const { spec } = await admit({ object: pod() });
  assert.equal(spec.priorityClassName, "low");
  assert.equal(spec.priority, 100);
  assert.equal(spec.preemptionPolicy, "Never");
});

test("a pod can't contradict its class about preemption", async () => {
  const { admit, state } = cluster();
  state.priorityClasses.push(priorityClass("meek", 10, { preemptionPolicy: "Never" }));
  await refused(
    admit({ object: pod({ priorityClassName: "meek", preemptionPolicy: "PreemptLowerPriority" }) }),
    403,
    /the string value of PreemptionPolicy \(PreemptLowerPriority\) must not be provided in pod spec; priority admission controller computed Never/,
  );
});

test("there is one default class at most", async () => {
  const { admit, state } = cluster();
  const first = priorityClass("first", 1, { globalDefault: true });
  state.priorityClasses.push(first);
  const at = {
    resource: { group: "scheduling.k8s.io", version: "v1", resource: "priorityclasses" },
    namespace: undefined,
  };
  await refused(
    admit({ ...at, object: priorityClass("second", 2, { globalDefault: true }) }),
    403,
    /PriorityClass first is already marked as default\. Only one default can exist$/,
  );
  await admit({ ...at, object: priorityClass("second", 2) });
  await admit({ ...at, operation: "UPDATE", old: first, object: { ...first, description: "mine" } });
});
