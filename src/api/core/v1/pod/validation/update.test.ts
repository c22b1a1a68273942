import assert from "node:assert/strict";
import { test } from "node:test";
import { container, podWith, updateErrorsOf } from "../../../../kind.suite.ts";

const fields =
  "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
const fixed = (difference: string) =>
  `spec: Forbidden: pod updates may not change fields other than ${fields}\n${difference}`;
const gated = { schedulingGates: [{ name: "wait" }] };
const nodeTerms = (...matchExpressions: object[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] },
    },
  },
});
const zone = { key: "zone", operator: "In", values: ["a"] };
const disk = { key: "disk", operator: "Exists" };

const cases: [what: string, before: object, after: object, ...errors: string[]][] = [
  ["a pod may stay as it is", {}, {}],
  ["an image may change", { containers: [container()] }, { containers: [container({ image: "nginx:2" })] }],
  ["a deadline may be set", {}, { activeDeadlineSeconds: 10 }],
  ["a deadline may come nearer", { activeDeadlineSeconds: 10 }, { activeDeadlineSeconds: 5 }],
  [
    "a deadline may not move away",
    { activeDeadlineSeconds: 5 },
    { activeDeadlineSeconds: 10 },
    "spec.activeDeadlineSeconds: Invalid value: 10: must be less than or equal to previous value",
  ],
  [
    "a deadline may not be dropped",
    { activeDeadlineSeconds: 5 },
    {},
    "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value",
  ],
  ["a toleration may be added", {}, { tolerations: [{ key: "a", operator: "Exists" }] }],
  [
    "how long something is tolerated may change",
    { tolerations: [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 10 }] },
    { tolerations: [{ key: "a", operator: "Exists", effect: "NoExecute", tolerationSeconds: 20 }] },
  ],
  [
    "a toleration may not be dropped",
    { tolerations: [{ key: "a", operator: "Exists" }] },
    {},
    "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
  ],
  [
    "a gate may be opened",
    { schedulingGates: [{ name: "a" }, { name: "b" }] },
    { schedulingGates: [{ name: "b" }] },
  ],
  [
    "a gate may not be built",
    {},
    { schedulingGates: [{ name: "a" }] },
    "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
  ],
  [
    "containers may not be added",
    {},
    { containers: [container(), container({ name: "more" })] },
    "spec.containers: Forbidden: pod updates may not add or remove containers",
  ],
  [
    "a command may not change",
    {},
    { containers: [container({ command: ["sleep"] })] },
    fixed(`+ containers[0].command: ["sleep"]`),
  ],
  [
    "resources may not change but by a resize",
    { containers: [container({ resources: { requests: { cpu: "1" } } })] },
    { containers: [container({ resources: { requests: { cpu: "2" } } })] },
    fixed(`- containers[0].resources.requests.cpu: "1"\n+ containers[0].resources.requests.cpu: "2"`),
  ],
  ["an amount may be written in another way", podCpu("1"), podCpu("1000m")],
  [
    "a pod's node may not change",
    { nodeName: "a" },
    { nodeName: "b" },
    fixed(`- nodeName: "a"\n+ nodeName: "b"`),
  ],
  [
    "a grace period below zero may become 1",
    { terminationGracePeriodSeconds: -1 },
    { terminationGracePeriodSeconds: 1 },
  ],
  [
    "a grace period may not change",
    { terminationGracePeriodSeconds: 5 },
    { terminationGracePeriodSeconds: 1 },
    fixed("- terminationGracePeriodSeconds: 5\n+ terminationGracePeriodSeconds: 1"),
  ],
  ["a gated pod may ask for more of its node", gated, { ...gated, nodeSelector: { disk: "ssd" } }],
  [
    "a gated pod may not ask for another node",
    { ...gated, nodeSelector: { disk: "ssd" } },
    { ...gated, nodeSelector: { disk: "hdd" } },
    `spec.nodeSelector: Invalid value: {"disk":"hdd"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)`,
  ],
  [
    "a gated pod's affinity may get narrower",
    { ...gated, ...nodeTerms(zone) },
    { ...gated, ...nodeTerms(zone, disk) },
  ],
  [
    "a gated pod's affinity may not get wider",
    { ...gated, ...nodeTerms(zone, disk) },
    { ...gated, ...nodeTerms(disk) },
    `spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]: Invalid value: {"matchExpressions":[{"key":"disk","operator":"Exists"}]}: only additions are allowed (no mutations or deletions)`,
  ],
];

function podCpu(cpu: string) {
  return { containers: [container({ resources: { requests: { cpu } } })] };
}

for (const [what, before, after, ...errors] of cases) {
  test(what, () => assert.deepEqual(updateErrorsOf("Pod", podWith(before), podWith(after)), errors));
}

test("the mark of a mirror pod may be neither added nor taken away", () => {
  const mirror = podWith({ nodeName: "n" }, { annotations: { "kubernetes.io/config.mirror": "hash" } });
  const plain = podWith({ nodeName: "n" });
  const path = "metadata.annotations[kubernetes.io/config.mirror]";
  assert.deepEqual(updateErrorsOf("Pod", plain, mirror), [
    `${path}: Forbidden: may not add mirror pod annotation`,
  ]);
  assert.deepEqual(updateErrorsOf("Pod", mirror, plain), [
    `${path}: Forbidden: may not remove or update mirror pod annotation`,
  ]);
});
