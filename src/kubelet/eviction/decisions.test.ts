import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { defaultConfig } from "../config/read-config.ts";
import type { EvictionSignal } from "../config/thresholds.ts";
import { admitUnderPressure } from "./admit.ts";
import { hasStorageLimit, storageExcess } from "./local-storage.ts";
import { evictionMessage } from "./message.ts";
import { nextLookMs } from "./pace.ts";
import { ranked } from "./rank.ts";
import type { PressureCondition } from "./signals.ts";
import { look, noPressure, type PressureState, thresholdsOf } from "./thresholds.ts";
import type { ContainerUse, Observations, PodUse } from "./usage.ts";

const Mi = 2 ** 20;
const shared = { imageFs: "shared" } as const;
const dedicated = { imageFs: "dedicated" } as const;

interface Draft {
  priority?: number;
  request?: string;
  storageRequest?: string;
  storageLimit?: string;
  more?: Partial<corev1.PodSpec>;
  annotations?: Record<string, string>;
}

function pod(name: string, draft: Draft = {}): corev1.Pod {
  const requests = {
    ...(draft.request && { memory: draft.request }),
    ...(draft.storageRequest && { "ephemeral-storage": draft.storageRequest }),
  };
  const limits: Record<string, string> = draft.storageLimit
    ? { "ephemeral-storage": draft.storageLimit }
    : {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: name, annotations: draft.annotations },
    spec: {
      priority: draft.priority,
      containers: [{ name: "main", image: "i", resources: { requests, limits } }],
      ...draft.more,
    },
  };
}

const using = (use: ContainerUse & { memoryBytes?: number; volumes?: Record<string, number> }): PodUse => ({
  memoryBytes: use.memoryBytes,
  containers: new Map([["main", use]]),
  volumes: new Map(
    Object.entries(use.volumes ?? {}).map(([name, bytes]) => [name, { bytes, inodes: 1 }] as const),
  ),
});

const order = (
  signal: EvictionSignal,
  pods: [corev1.Pod, PodUse | undefined][],
  disks: typeof shared | typeof dedicated = shared,
) => {
  const uses = new Map(pods.flatMap(([{ metadata }, use]) => (use ? [[metadata.uid!, use] as const] : [])));
  return ranked(
    pods.map(([each]) => each),
    uses,
    signal,
    disks,
  ).map(({ metadata }) => metadata.name);
};

test("short of memory, pods above their request go first, then those of low priority, then the hungriest", () => {
  const memoryBytes = (mi: number) => using({ memoryBytes: mi * Mi });
  assert.deepEqual(
    order("memory.available", [
      [pod("guaranteed-below", { request: "1Gi" }), memoryBytes(300)],
      [pod("below-low-priority", { request: "1Gi", priority: -1 }), memoryBytes(100)],
      [pod("above-high-priority", { request: "10Mi", priority: 100 }), memoryBytes(500)],
      [pod("above-by-little", { request: "100Mi" }), memoryBytes(101)],
      [pod("above-by-much", { request: "100Mi" }), memoryBytes(400)],
      [pod("unknown", { request: "100Mi" }), undefined],
    ]),
    [
      "unknown",
      "above-by-much",
      "above-by-little",
      "above-high-priority",
      "below-low-priority",
      "guaranteed-below",
    ],
  );
});

test("short of processes, priority decides, and then how many a pod has", () => {
  const processes = (count: number): PodUse => ({ ...using({}), processes: count });
  assert.deepEqual(
    order("pid.available", [
      [pod("few"), processes(3)],
      [pod("many"), processes(3_000)],
      [pod("many-but-important", { priority: 1_000 }), processes(30_000)],
    ]),
    ["many", "few", "many-but-important"],
  );
});

test("short of disk, what counts depends on which file system is short", () => {
  const pods: [corev1.Pod, PodUse][] = [
    [pod("layers"), using({ root: { bytes: 900, inodes: 1 }, logs: { bytes: 1, inodes: 1 } })],
    [pod("logs"), using({ root: { bytes: 1, inodes: 1 }, logs: { bytes: 800, inodes: 1 } })],
    [pod("volume"), using({ volumes: { v: 700 } })],
    [pod("requested", { storageRequest: "2k" }), using({ root: { bytes: 1_500, inodes: 9 } })],
  ];
  assert.deepEqual(order("nodefs.available", pods), ["layers", "logs", "volume", "requested"]);
  assert.deepEqual(order("nodefs.available", pods, dedicated), ["logs", "volume", "layers", "requested"]);
  assert.deepEqual(order("imagefs.available", pods, dedicated).slice(0, 2), ["layers", "logs"]);
  // Inodes: nobody requests them, and what is compared is what was asked of the disk in bytes; as upstream.
  assert.deepEqual(order("nodefs.inodesFree", pods).at(-1), "requested");
});

const config = (change: Partial<KubeletConfig>): KubeletConfig => ({ ...defaultConfig(), ...change });
const of = (quantity: string) => ({ quantity: parseQuantity(quantity) });
const observed = (available: number, atMs: number): Observations =>
  new Map([["memory.available", { available: available * Mi, capacity: 1_000 * Mi, atMs }]]);

test("containers' file system has the thresholds of the one it is on, whatever is configured", () => {
  const settings = config({
    evictionHard: {
      "nodefs.available": of("1Gi"),
      "imagefs.available": of("2Gi"),
      "containerfs.available": of("3Gi"),
    },
  });
  const containerFs = (disks: typeof shared | typeof dedicated) =>
    thresholdsOf(settings, disks).filter(({ signal }) => signal === "containerfs.available");
  assert.deepEqual(containerFs(shared), [{ signal: "containerfs.available", value: of("1Gi"), graceMs: 0 }]);
  assert.deepEqual(containerFs(dedicated), [
    { signal: "containerfs.available", value: of("2Gi"), graceMs: 0 },
  ]);
  const merged = thresholdsOf({ ...settings, mergeDefaultEvictionSettings: true }, shared);
  assert.ok(merged.some(({ signal }) => signal === "memory.available"));
  assert.ok(merged.some(({ signal }) => signal === "allocatableMemory.available"));
});

test("a soft threshold must be crossed for its grace period; a condition stays for the transition period", () => {
  const thresholds = thresholdsOf(
    config({
      evictionHard: {},
      evictionSoft: { "memory.available": of("200Mi") },
      evictionSoftGracePeriod: { "memory.available": { ms: 30_000 } },
    }),
    shared,
  );
  let state: PressureState = noPressure;
  const at = (nowMs: number, available: number) => {
    const seen = look(state, thresholds, observed(available, nowMs), { transitionMs: 60_000, nowMs });
    ({ state } = seen);
    return { urgent: seen.urgent.length, conditions: [...state.conditions] };
  };
  assert.deepEqual(at(0, 100), { urgent: 0, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(20_000, 100), { urgent: 0, conditions: ["MemoryPressure"] });
  // Better for a moment: the grace period begins anew.
  assert.deepEqual(at(25_000, 500), { urgent: 0, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(30_000, 100), { urgent: 0, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(60_000, 100), { urgent: 1, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(70_000, 500), { urgent: 0, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(119_999, 500), { urgent: 0, conditions: ["MemoryPressure"] });
  assert.deepEqual(at(120_000, 500), { urgent: 0, conditions: [] });
});

test("a threshold that was met counts on until its minimum is reclaimed, and never twice for one measurement", () => {
  const thresholds = thresholdsOf(
    config({
      evictionHard: { "memory.available": of("100Mi") },
      evictionMinimumReclaim: { "memory.available": of("50Mi") },
      enforceNodeAllocatable: [],
    }),
    shared,
  );
  const times = { transitionMs: 0, nowMs: 0 };
  const met = look(noPressure, thresholds, observed(90, 1), times);
  assert.equal(met.urgent.length, 1);
  assert.equal(look(met.state, thresholds, observed(90, 1), times).urgent.length, 0);
  const almost = look(met.state, thresholds, observed(120, 2), times);
  assert.equal(almost.urgent.length, 1);
  assert.equal(look(almost.state, thresholds, observed(151, 3), times).urgent.length, 0);
  assert.equal(look(noPressure, thresholds, observed(120, 2), times).urgent.length, 0);
});

test("memory is looked after before all else", () => {
  const thresholds = thresholdsOf(defaultConfig(), shared);
  const observations: Observations = new Map([
    ["nodefs.available", { available: 0, capacity: 1_000, atMs: 1 }],
    ["memory.available", { available: 0, capacity: 1_000, atMs: 1 }],
  ]);
  const { urgent } = look(noPressure, thresholds, observations, { transitionMs: 1, nowMs: 0 });
  assert.equal(urgent[0]!.signal, "memory.available");
});

test("the message and the annotations name what was short and who used more than it asked for", () => {
  const [threshold] = thresholdsOf(config({ evictionHard: { "memory.available": of("100Mi") } }), shared);
  const told = evictionMessage(
    pod("p", { request: "10Mi" }),
    "memory",
    using({ memoryBytes: 30 * Mi }),
    [threshold!],
    observed(90, 1),
  );
  assert.deepEqual(told, {
    message:
      "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container main was using 30Mi, request is 10Mi, has larger consumption of memory. ",
    annotations: {
      offending_containers: "main",
      offending_containers_usage: "30Mi",
      starved_resource: "memory",
    },
  });
  const unknown = evictionMessage(pod("p"), "pids", undefined, [threshold!], observed(90, 1));
  assert.deepEqual(unknown, { message: "The node was low on resource: pids. ", annotations: {} });
});

test("a pod is over its limits on disk by a volume, by all of it, or by a container", () => {
  const volumes = [{ name: "cache", emptyDir: { sizeLimit: "1Ki" } }];
  const table: [corev1.Pod, PodUse, string | undefined, (typeof shared | typeof dedicated)?][] = [
    [
      pod("p", { more: { volumes } }),
      using({ volumes: { cache: 1_025 } }),
      'Usage of EmptyDir volume "cache" exceeds the limit "1Ki". ',
    ],
    [pod("p", { more: { volumes } }), using({ volumes: { cache: 1_024 } }), undefined],
    [
      pod("p", { storageLimit: "1Ki" }),
      using({ root: { bytes: 600, inodes: 1 }, logs: { bytes: 600, inodes: 1 } }),
      "Pod ephemeral local storage usage exceeds the total limit of containers 1Ki. ",
    ],
    [
      pod("p", {
        storageLimit: "1Ki",
        more: {
          containers: [
            { name: "main", image: "i", resources: { limits: { "ephemeral-storage": "1Ki" } } },
            { name: "other", image: "i", resources: { limits: { "ephemeral-storage": "1Gi" } } },
          ],
        },
      }),
      using({ root: { bytes: 1_200, inodes: 1 } }),
      'Container main exceeded its local ephemeral storage limit "1Ki". ',
    ],
    [pod("p"), using({ root: { bytes: 1e12, inodes: 1 } }), undefined],
  ];
  for (const [each, use, message, disks = shared] of table) {
    assert.equal(storageExcess(each, use, disks), message);
  }
  assert.equal(hasStorageLimit(pod("p")), false);
  assert.equal(hasStorageLimit(pod("p", { storageLimit: "1Ki" })), true);
  assert.equal(hasStorageLimit(pod("p", { more: { volumes } })), true);
});

test("under pressure a node refuses pods without requests, and under any but memory's all that it can do without", () => {
  const bestEffort = pod("best-effort");
  const burstable = pod("burstable", { request: "1Mi" });
  const tolerant = pod("tolerant", {
    more: { tolerations: [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }] },
  });
  const critical = pod("critical", { priority: 2_000_000_000 });
  const fromFile = pod("static", { annotations: { "kubernetes.io/config.source": "file" } });
  const memory: PressureCondition[] = ["MemoryPressure"];
  const disk: PressureCondition[] = ["DiskPressure"];
  const table: [corev1.Pod, PressureCondition[], "admitted" | "refused"][] = [
    [bestEffort, [], "admitted"],
    [bestEffort, memory, "refused"],
    [burstable, memory, "admitted"],
    [tolerant, memory, "admitted"],
    [tolerant, disk, "refused"],
    [burstable, disk, "refused"],
    [burstable, [...disk, ...memory], "refused"],
    [critical, disk, "admitted"],
    [fromFile, disk, "admitted"],
  ];
  for (const [each, conditions, outcome] of table) {
    const refusal = admitUnderPressure(each, conditions);
    assert.equal(refusal ? "refused" : "admitted", outcome, `${each.metadata.name} ${conditions}`);
  }
  assert.deepEqual(admitUnderPressure(burstable, ["DiskPressure", "MemoryPressure"]), {
    reason: "Evicted",
    message: "The node had condition: [DiskPressure MemoryPressure]. ",
  });
});

test("the next look comes before memory can have run out", () => {
  const thresholds = thresholdsOf(config({ evictionHard: { "memory.available": of("100Mi") } }), shared);
  const memory = (available: number): Observations =>
    new Map([["memory.available", { available: available * Mi, capacity: 64_000 * Mi, atMs: 1 }]]);
  assert.equal(nextLookMs(thresholds, memory(60_000)), 10_000);
  assert.equal(nextLookMs(thresholds, memory(1_124)), 1_000);
  assert.equal(nextLookMs(thresholds, memory(110)), 250);
  assert.equal(nextLookMs(thresholds, memory(50)), 10_000);
  assert.equal(nextLookMs([], memory(50)), 10_000);
});
