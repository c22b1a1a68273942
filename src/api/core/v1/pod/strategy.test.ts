import assert from "node:assert/strict";
import { test } from "node:test";
import { decodedPod, kindNamed } from "../../../kind.suite.ts";
import { podStrategy } from "./strategy.ts";

test("a new pod is Pending, whatever its writer says, and has its QoS class", () => {
  const pod = decodedPod({ containers: [{ name: "c", image: "i", resources: { requests: { cpu: "1" } } }] });
  pod.status = { phase: "Running", podIP: "10.0.0.1" };
  podStrategy.prepareForCreate!(pod, 0);
  assert.deepEqual(pod.status, { phase: "Pending", qosClass: "Burstable" });
});

test("a new pod with gates says that it is not scheduled", () => {
  const pod = decodedPod({ schedulingGates: [{ name: "wait" }] });
  podStrategy.prepareForCreate!(pod, 0);
  assert.deepEqual(pod.status!.conditions, [
    {
      type: "PodScheduled",
      status: "False",
      reason: "SchedulingGated",
      message: "Scheduling is blocked due to non-empty scheduling gates",
    },
  ]);
});

test("matchLabelKeys become requirements on the pod's own labels", () => {
  const constraint = {
    maxSkew: 1,
    topologyKey: "zone",
    whenUnsatisfiable: "DoNotSchedule",
    labelSelector: {},
    matchLabelKeys: ["app", "gone"],
  };
  const pod = decodedPod({ topologySpreadConstraints: [constraint] }, { labels: { app: "web" } });
  podStrategy.prepareForCreate!(pod, 0);
  assert.deepEqual(pod.spec!.topologySpreadConstraints![0]!.labelSelector, {
    matchExpressions: [{ key: "app", operator: "In", values: ["web"] }],
  });
  assert.deepEqual(podStrategy.validate(pod), []);
});

for (const [what, spec, phase, requestedS, expected] of [
  ["its own grace period", { nodeName: "n" }, "Running", undefined, 30],
  ["the one that is asked for", { nodeName: "n" }, "Running", 5, 5],
  ["none, when none is asked for", { nodeName: "n" }, "Running", 0, 0],
  [
    "a second, when its own is below zero",
    { nodeName: "n", terminationGracePeriodSeconds: -1 },
    "Running",
    undefined,
    1,
  ],
  ["none, before it has a node", {}, "Pending", 30, 0],
  ["none, after it has succeeded", { nodeName: "n" }, "Succeeded", 30, 0],
  ["none, after it has failed", { nodeName: "n" }, "Failed", undefined, 0],
] as const) {
  test(`a pod is deleted with ${what}`, () => {
    const pod = decodedPod(spec);
    pod.status = { phase };
    assert.equal(podStrategy.gracePeriodS!(pod, requestedS), expected);
  });
}

test("a status report may leave out the QoS class and observed generations", () => {
  const old = decodedPod();
  old.status = {
    qosClass: "BestEffort",
    observedGeneration: 2,
    conditions: [{ type: "Ready", status: "True", observedGeneration: 2 }],
  };
  const pod = decodedPod();
  pod.status = { phase: "Running", conditions: [{ type: "Ready", status: "False" }] };
  podStrategy.prepareForStatusUpdate!(pod, old, 0);
  assert.deepEqual(pod.status, {
    phase: "Running",
    qosClass: "BestEffort",
    observedGeneration: 2,
    conditions: [{ type: "Ready", status: "False", observedGeneration: 2 }],
  });
});

test("a pod can be selected by where it is and what it does", () => {
  const pod = decodedPod({ nodeName: "n", hostNetwork: true, serviceAccountName: "robot" });
  pod.status = { phase: "Running", podIPs: [{ ip: "10.0.0.1" }], nominatedNodeName: "m" };
  assert.deepEqual(kindNamed("Pod").selectableFields!(pod), {
    "spec.nodeName": "n",
    "spec.restartPolicy": "Always",
    "spec.schedulerName": "default-scheduler",
    "spec.serviceAccountName": "robot",
    "spec.hostNetwork": "true",
    "status.phase": "Running",
    "status.podIP": "10.0.0.1",
    "status.podIPs": "10.0.0.1",
    "status.nominatedNodeName": "m",
  });
});
