import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../../../index.ts";
import { computeQosClass } from "../qos.ts";
import { resizeStrategy } from "../resize.ts";

type Lists = { requests?: Record<string, string>; limits?: Record<string, string> };

const container = (
  name: string,
  resources: Lists,
  more: Partial<corev1.Container> = {},
): corev1.Container => ({
  name,
  image: "busybox",
  resources,
  ...more,
});

function pod(
  containers: corev1.Container[],
  more: Partial<corev1.PodSpec> = {},
  metadata: object = {},
): corev1.Pod {
  const spec = { containers, ...more } as corev1.PodSpec;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", resourceVersion: "1", ...metadata },
    spec,
    status: { qosClass: computeQosClass(spec) },
  };
}

/** As the server does it: what the part is not about is put back first. */
function errorsOf(old: corev1.Pod, asked: corev1.Pod): string[] {
  const made = structuredClone(asked);
  resizeStrategy.prepareForUpdate(made, old);
  return resizeStrategy.validateUpdate(made, old).map(({ field, message }) => `${field}: ${message}`);
}

const all = (cpu: string, memory: string): Lists => ({
  requests: { cpu, memory },
  limits: { cpu, memory },
});
const requests = (cpu: string, memory: string): Lists => ({ requests: { cpu, memory } });

const qosChange = (qos: string) =>
  `spec: Invalid value: "${qos}": Pod QOS Class may not change as a result of resizing`;

const cases: [what: string, old: corev1.Pod, asked: corev1.Pod, errors: string[]][] = [
  ["more of all", pod([container("c", all("1", "1Gi"))]), pod([container("c", all("2", "2Gi"))]), []],
  ["less of all", pod([container("c", all("1", "1Gi"))]), pod([container("c", all("500m", "1Mi"))]), []],
  [
    "a limit where there was none",
    pod([container("c", requests("1", "1Gi"))]),
    pod([container("c", { ...requests("1", "1Gi"), limits: { cpu: "2" } })]),
    [],
  ],
  [
    "a request of a BestEffort pod",
    pod([container("c", {})]),
    pod([container("c", { requests: { memory: "1Gi" } })]),
    [qosChange("BestEffort")],
  ],
  [
    "limits above the requests of a Guaranteed pod",
    pod([container("c", all("1", "1Gi"))]),
    pod([container("c", { ...requests("1", "1Gi"), limits: { cpu: "2", memory: "1Gi" } })]),
    [qosChange("Guaranteed")],
  ],
  [
    "limits taken away",
    pod([container("c", all("1", "1Gi"))]),
    pod([container("c", requests("1", "1Gi"))]),
    [
      qosChange("Guaranteed"),
      "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
    ],
  ],
  [
    "a request taken away",
    pod([container("c", requests("1", "1Gi"))]),
    pod([container("c", { requests: { cpu: "1" } })]),
    ["spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"],
  ],
  [
    "containers in another order",
    pod([container("a", requests("1", "1Gi")), container("b", requests("1", "1Gi"))]),
    pod([container("b", requests("1", "1Gi")), container("a", requests("1", "1Gi"))]),
    [
      "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
      "spec.containers[1].name: Forbidden: containers may not be renamed or reordered on resize",
    ],
  ],
  [
    "one more container",
    pod([container("a", requests("1", "1Gi"))]),
    pod([container("a", requests("1", "1Gi")), container("b", requests("1", "1Gi"))]),
    ["spec.containers: Forbidden: containers may not be added or removed on resize"],
  ],
  [
    "another resize policy",
    pod([container("c", requests("1", "1Gi"))]),
    pod([
      container("c", requests("2", "1Gi"), {
        resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
      }),
    ]),
    ["spec: Forbidden: only cpu and memory resources are mutable"],
  ],
  [
    "other resources than cpu and memory",
    pod([container("c", { requests: { cpu: "1", "ephemeral-storage": "1Gi" } })]),
    pod([container("c", { requests: { cpu: "1", "ephemeral-storage": "2Gi" } })]),
    ["spec: Forbidden: only cpu and memory resources are mutable"],
  ],
  [
    "a sidecar, and an init container that runs once",
    pod([container("c", requests("1", "1Gi"))], {
      initContainers: [
        container("s", requests("1", "1Gi"), { restartPolicy: "Always" }),
        container("i", requests("1", "1Gi")),
      ],
    }),
    pod([container("c", requests("1", "1Gi"))], {
      initContainers: [
        container("s", requests("2", "1Gi"), { restartPolicy: "Always" }),
        container("i", requests("2", "1Gi")),
      ],
    }),
    [],
  ],
  [
    "an init container that would have to restart",
    pod([container("c", requests("1", "1Gi"))], {
      initContainers: [
        container("i", requests("1", "1Gi"), {
          resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
        }),
      ],
    }),
    pod([container("c", requests("1", "1Gi"))], {
      initContainers: [
        container("i", requests("2", "1Gi"), {
          resizePolicy: [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
        }),
      ],
    }),
    [
      "spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
    ],
  ],
  [
    "the pod's own resources",
    pod([container("c", {})], { resources: all("1", "1Gi") }),
    pod([container("c", {})], { resources: all("2", "1Gi") }),
    [],
  ],
  [
    "resources of the pod's own where it had none",
    pod([container("c", requests("2m", "1Gi"))]),
    pod([container("c", requests("2m", "1Gi"))], {
      resources: { requests: { cpu: "5m" }, limits: { cpu: "25m" } },
    }),
    [],
  ],
  [
    "others than cpu and memory of the pod's own where it had none",
    pod([container("c", requests("2m", "1Gi"))]),
    pod([container("c", requests("2m", "1Gi"))], {
      resources: { requests: { cpu: "5m" }, limits: { "hugepages-2Mi": "2Mi" } },
    }),
    ["spec: Forbidden: only cpu and memory resources are mutable at pod-level"],
  ],
  [
    "the pod's own limits taken away",
    pod([container("c", {})], { resources: all("1", "1Gi") }),
    pod([container("c", {})], { resources: requests("1", "1Gi") }),
    [
      qosChange("Guaranteed"),
      "spec.resources.limits: Forbidden: pod-level resource limits cannot be removed",
    ],
  ],
  [
    "a static pod",
    pod([container("c", requests("1", "1Gi"))], {}, { annotations: { "kubernetes.io/config.mirror": "x" } }),
    pod([container("c", requests("2", "1Gi"))], {}, { annotations: { "kubernetes.io/config.mirror": "x" } }),
    [": Forbidden: static pods cannot be resized"],
  ],
  [
    "a Windows pod",
    pod([container("c", requests("1", "1Gi"))], { os: { name: "windows" } }),
    pod([container("c", requests("2", "1Gi"))], { os: { name: "windows" } }),
    [": Forbidden: windows pods cannot be resized"],
  ],
];

for (const [what, old, asked, errors] of cases) {
  test(`a resize: ${what}`, () => {
    assert.deepEqual(errorsOf(old, asked), errors);
  });
}

test("a resize leaves alone what it is not about", () => {
  const old = pod([container("c", requests("1", "1Gi"))], {}, { labels: { a: "b" } });
  const asked = pod(
    [container("c", requests("2", "1Gi"), { image: "other", command: ["sh"] })],
    { activeDeadlineSeconds: 5 },
    { labels: { c: "d" }, annotations: { e: "f" } },
  );
  resizeStrategy.prepareForUpdate(asked, old);
  assert.deepEqual(asked.spec, { containers: [container("c", requests("2", "1Gi"))] });
  assert.deepEqual(asked.metadata, old.metadata);
});
