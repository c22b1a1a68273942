import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import type { Actuated } from "../resize/actuated.ts";
import type { ObservedContainer } from "./observation.ts";
import { containerResize, type ResizeWrite, resizeWrites } from "./resize.ts";

const amounts = (cpuMilli: number, memoryBytes: number): Actuated => ({
  cpuRequestMilli: cpuMilli,
  cpuLimitMilli: cpuMilli,
  memoryRequestBytes: memoryBytes,
  memoryLimitBytes: memoryBytes,
});

const pod = (cpuMilli: number, memoryBytes: number) => ({
  cpuShares: cpuMilli,
  cpuQuotaUs: cpuMilli * 100,
  memoryLimitBytes: memoryBytes,
});

const told = (write: ResizeWrite) =>
  `${write.to === "pod" ? "pod" : write.id}: ${Object.keys(write.resources).join(",") || "nothing"}`;

test("a pod's cgroup grows before its containers' and shrinks after them; who shrinks makes room first", () => {
  const grow = resizeWrites(pod(300, 300), pod(400, 400), [
    { id: "grows", has: amounts(100, 100), wants: amounts(300, 300) },
    { id: "shrinks", has: amounts(200, 200), wants: amounts(100, 100) },
  ]);
  assert.deepEqual(grow.map(told), [
    "pod: memoryLimitBytes",
    "shrinks: memoryLimitBytes,memorySwapLimitBytes",
    "grows: memoryLimitBytes,memorySwapLimitBytes",
    "pod: cpuQuotaUs,cpuPeriodUs",
    "pod: cpuShares",
    "shrinks: cpuShares,cpuQuotaUs,cpuPeriodUs",
    "grows: cpuShares,cpuQuotaUs,cpuPeriodUs",
  ]);
  const shrink = resizeWrites(pod(300, 300), pod(200, 200), [
    { id: "c", has: amounts(300, 300), wants: amounts(200, 200) },
  ]);
  assert.deepEqual(shrink.map(told), [
    "c: memoryLimitBytes,memorySwapLimitBytes",
    "pod: memoryLimitBytes",
    "c: cpuShares,cpuQuotaUs,cpuPeriodUs",
    "pod: cpuShares",
    "pod: cpuQuotaUs,cpuPeriodUs",
  ]);
});

test("a limit where there was none shrinks; what does not change is not written; a request of memory is in no cgroup", () => {
  const writes = resizeWrites({ cpuShares: 100 }, { cpuShares: 100, memoryLimitBytes: 50 }, [
    { id: "limited", has: amounts(0, 0), wants: { ...amounts(0, 0), memoryLimitBytes: 50 } },
    { id: "same", has: amounts(1, 1), wants: amounts(1, 1) },
    { id: "asks", has: amounts(0, 0), wants: { ...amounts(0, 0), memoryRequestBytes: 5 } },
  ]);
  assert.deepEqual(writes.map(told), [
    "limited: memoryLimitBytes,memorySwapLimitBytes",
    "asks: nothing",
    "pod: memoryLimitBytes",
  ]);
  const free = resizeWrites({}, {}, [
    { id: "c", has: amounts(100, 0), wants: { ...amounts(100, 0), cpuLimitMilli: 0 } },
  ]);
  assert.deepEqual(
    free.map(({ resources }) => resources.cpuQuotaUs),
    [-1],
  );
});

const cases: [
  what: string,
  has: Actuated | undefined,
  state: ObservedContainer["state"],
  policy: corev1.Container["resizePolicy"],
  then: string,
][] = [
  ["has what it is to have", amounts(100, 1024), "running", undefined, "none"],
  ["has other amounts", amounts(200, 1024), "running", undefined, "update"],
  ["does not run", amounts(200, 1024), "exited", undefined, "none"],
  ["was made by an agent that did not say", undefined, "running", undefined, "none"],
  [
    "restarts for cpu, and cpu changes",
    amounts(200, 1024),
    "running",
    [{ resourceName: "cpu", restartPolicy: "RestartContainer" }],
    "restart",
  ],
  [
    "restarts for memory, and cpu changes",
    amounts(200, 1024),
    "running",
    [{ resourceName: "memory", restartPolicy: "RestartContainer" }],
    "update",
  ],
];

for (const [what, has, state, resizePolicy, then] of cases) {
  test(`a container that ${what}: ${then}`, () => {
    const resources = { requests: { cpu: "100m", memory: "1Ki" }, limits: { cpu: "100m", memory: "1Ki" } };
    const container = { name: "c", image: "i", resources, resizePolicy };
    const observed = { id: "1", name: "c", state, actuated: has } as ObservedContainer;
    const spec = { containers: [container] };
    const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec } as corev1.Pod;
    assert.equal(containerResize(object, container, observed), then);
  });
}
