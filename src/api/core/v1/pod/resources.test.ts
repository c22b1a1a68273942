import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../index.ts";
import { computeQosClass } from "./qos.ts";
import { podLimits, podRequestAmountsInUse, podRequests } from "./resources.ts";

type List = Record<string, string>;
const container = (requests: List | undefined, limits?: List, rest: object = {}): corev1.Container => ({
  name: "c",
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...rest,
});
const sidecar = (requests: List) => container(requests, undefined, { restartPolicy: "Always" });
const cpu = (amount: string) => ({ cpu: amount });

const requested: [what: string, spec: corev1.PodSpec, expected: List][] = [
  [
    "containers add up",
    { containers: [container(cpu("100m")), container({ cpu: "1", memory: "1Gi" })] },
    { cpu: "1100m", memory: "1Gi" },
  ],
  [
    "the hungriest init container counts when it is hungrier than all containers",
    { initContainers: [container(cpu("2")), container(cpu("1"))], containers: [container(cpu("500m"))] },
    { cpu: "2" },
  ],
  [
    "sidecars add to the containers",
    { initContainers: [sidecar(cpu("200m"))], containers: [container(cpu("1"))] },
    { cpu: "1200m" },
  ],
  [
    "sidecars add to the init containers that come after them",
    {
      initContainers: [container(cpu("3")), sidecar(cpu("1")), container(cpu("3"))],
      containers: [container(cpu("1"))],
    },
    { cpu: "4" },
  ],
  ["overhead comes on top", { overhead: cpu("50m"), containers: [container(cpu("100m"))] }, { cpu: "150m" }],
  [
    "the pod's own requests stand for its containers'",
    { resources: { requests: cpu("2") }, containers: [container({ cpu: "1", memory: "1Gi" })] },
    { cpu: "2", memory: "1Gi" },
  ],
];

for (const [what, spec, expected] of requested) {
  test(`in a pod's requests, ${what}`, () => assert.deepEqual(podRequests(spec), expected));
}

test("in a pod's limits, overhead counts where there is a limit", () => {
  assert.deepEqual(
    podLimits({ overhead: { cpu: "1", memory: "1Gi" }, containers: [container(undefined, cpu("1"))] }),
    { cpu: "2" },
  );
});

test("while it is resized a pod takes the most of what it asks for, was given and has", () => {
  const pod = (asked: string, given: string, has: string, reason?: string): corev1.Pod => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ ...container(cpu(asked)), name: "c" }] },
    status: {
      ...(reason && { conditions: [{ type: "PodResizePending", status: "True", reason }] }),
      containerStatuses: [
        {
          name: "c",
          ready: true,
          restartCount: 0,
          image: "i",
          imageID: "",
          allocatedResources: cpu(given),
          resources: { requests: cpu(has) },
        },
      ],
    },
  });
  const inUse = (...given: Parameters<typeof pod>) => podRequestAmountsInUse(pod(...given)).cpu!.toString();
  assert.equal(inUse("3", "1", "1", "Deferred"), "3");
  assert.equal(inUse("1", "1", "2"), "2");
  assert.equal(inUse("1", "2", "1"), "2");
  assert.equal(inUse("3", "1", "1", "Infeasible"), "1");
});

const full = { cpu: "1", memory: "1Gi" };
const classes: [what: string, spec: corev1.PodSpec, expected: string][] = [
  ["no resources", { containers: [container(undefined)] }, "BestEffort"],
  ["requests of zero", { containers: [container(cpu("0"))] }, "BestEffort"],
  ["requests only", { containers: [container(full)] }, "Burstable"],
  [
    "requests that are the limits",
    { containers: [container(full, full), container(full, full)] },
    "Guaranteed",
  ],
  ["a limit of cpu alone", { containers: [container(cpu("1"), cpu("1"))] }, "Burstable"],
  [
    "one container without resources",
    { containers: [container(full, full), container(undefined)] },
    "Burstable",
  ],
  [
    "an init container without resources",
    { initContainers: [container(undefined)], containers: [container(full, full)] },
    "Burstable",
  ],
  ["requests below the limits", { containers: [container({ ...full, cpu: "500m" }, full)] }, "Burstable"],
  ["other resources only", { containers: [container({ "ephemeral-storage": "1Gi" })] }, "BestEffort"],
  [
    "the pod's own requests and limits",
    { resources: { requests: full, limits: full }, containers: [container(undefined)] },
    "Guaranteed",
  ],
];

for (const [what, spec, expected] of classes) {
  test(`a pod with ${what} is ${expected}`, () => assert.equal(computeQosClass(spec), expected));
}
