import assert from "node:assert/strict";
import { test } from "node:test";
import type { corev1 } from "../../api/index.ts";
import { SteppedClock, silentLog } from "../../base/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { defaultConfig } from "../config/read-config.ts";
import { nodeResources, reservationProblems } from "./capacity.ts";
import { SharedCgroupKeeper } from "./shared-cgroup-keeper.ts";
import { sharedLimits } from "./shared-limits.ts";

const Gi = 2 ** 30;
const machine = { cpus: 4, memoryBytes: 8 * Gi, storageBytes: 100 * Gi, hugepages: {}, pidsMax: 32_768 };
const config = (change: Partial<KubeletConfig> = {}): KubeletConfig => ({ ...defaultConfig(), ...change });
const amounts = (map: Record<string, string>) =>
  Object.fromEntries(Object.entries(map).map(([name, text]) => [name, parseQuantity(text)]));

test("what pods may ask for is what the machine has, less what is set aside and where eviction begins", () => {
  const set = config({
    kubeReserved: amounts({ cpu: "500m", memory: "1Gi", "ephemeral-storage": "10Gi" }),
    systemReserved: amounts({ cpu: "500m", memory: "1Gi" }),
    evictionHard: {
      "memory.available": { quantity: parseQuantity("512Mi") },
      "nodefs.available": { fraction: 0.1 },
    },
  });
  const { allocatable, capacity } = nodeResources(machine, set);
  assert.deepEqual(
    [capacity["cpu"], capacity["memory"], capacity["ephemeral-storage"]],
    ["4", "8Gi", "100Gi"],
  );
  assert.deepEqual([allocatable["cpu"], allocatable["memory"]], ["3", "5632Mi"]);
  assert.equal(
    parseQuantity(allocatable["ephemeral-storage"]!).value(),
    90 * Gi - Math.trunc(100 * Gi * Math.fround(0.1)),
  );
  const huge = nodeResources(
    { ...machine, hugepages: { "hugepages-2Mi": "1Gi" } },
    config({ evictionHard: {} }),
  );
  assert.equal(huge.allocatable["memory"], "7Gi");
  assert.deepEqual(reservationProblems(machine, set), []);
  assert.deepEqual(reservationProblems(machine, config({ kubeReserved: amounts({ cpu: "5" }) })), [
    'Resource "cpu" has a reservation of 5 but capacity of 4. Expected capacity >= reservation.',
  ]);
});

const pod = (requests: Record<string, string>, limits: Record<string, string> = {}): corev1.Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", uid: "p" },
  spec: { containers: [{ name: "c", image: "i", resources: { requests, limits } }] },
});

test("all pods together have what is not set aside; classes weigh what their pods ask for", () => {
  const reserved = config({ kubeReserved: amounts({ cpu: "1", memory: "1Gi", pid: "768" }) });
  const guaranteed = { cpu: "1", memory: "1Gi" };
  const pods = [pod({ cpu: "500m" }), pod({ memory: "1Gi" }), pod({}), pod(guaranteed, guaranteed)];
  const [all, burstable, bestEffort] = sharedLimits(machine, reserved, pods);
  assert.equal(all!.cgroup, "kubepods");
  assert.deepEqual(
    [all!.resources.cpuShares, all!.resources.memoryLimitBytes, all!.resources.pidsMax],
    [3 * 1_024, 7 * Gi, 32_000],
  );
  assert.deepEqual(burstable, { cgroup: "kubepods/burstable", resources: { cpuShares: 512 } });
  assert.deepEqual(bestEffort, { cgroup: "kubepods/besteffort", resources: { cpuShares: 2 } });
  const [free] = sharedLimits(machine, { ...reserved, enforceNodeAllocatable: ["none"] }, pods);
  assert.deepEqual(free!.resources, { cpuShares: 3 * 1_024 });
});

test("limits follow the pods, are put right again, and a failure is told", async () => {
  const clock = new SteppedClock();
  const written = new Map<string, number | undefined>();
  const told: string[] = [];
  let failure: Error | undefined;
  const pods = [pod({ cpu: "1" })];
  const keeper = new SharedCgroupKeeper({
    ...{ machine, config: config(), clock, log: silentLog, activePods: () => pods },
    cgroups: {
      limit: async (cgroup, { cpuShares }) => {
        if (failure) throw failure;
        written.set(cgroup, cpuShares);
      },
      usage: async () => undefined,
    },
    events: { event: (_about, _type, reason) => told.push(reason), annotatedEvent: () => {} },
    node: () => ({ apiVersion: "v1", kind: "Node", name: "n" }),
  });
  const ended = new AbortController();
  const running = keeper.run(ended.signal);
  await clock.step(0);
  assert.equal(written.get("kubepods/burstable"), 1_024);
  pods.push(pod({ cpu: "1" }));
  keeper.podsChanged();
  await clock.step(100);
  assert.equal(written.get("kubepods/burstable"), 2_048);
  written.clear();
  await clock.step(60_000);
  assert.equal(written.get("kubepods/burstable"), 2_048);
  failure = new Error("EBUSY");
  await clock.step(60_000);
  ended.abort();
  await running;
  assert.deepEqual(told, ["NodeAllocatableEnforced", "FailedNodeAllocatableEnforcement"]);
});
