import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinuxResources } from "../../contract.ts";
import { cpuWeight, ociResources, writesV1, writesV2 } from "./resources.ts";

const lines = (writes: ReturnType<typeof writesV1>) => writes.map(({ file, value }) => `${file}=${value}`);

const full: LinuxResources = {
  cpuShares: 512,
  cpuQuotaUs: 50_000,
  cpuPeriodUs: 100_000,
  memoryLimitBytes: 1024,
  pidsMax: 10,
  cpusetCpus: "0-1",
  hugepages: [{ pageSize: "2MB", limitBytes: 4096 }],
  oomKillsAll: true,
};

test("resources are written to cgroup v1's files", () => {
  assert.deepEqual(lines(writesV1(full)), [
    "cpu.shares=512",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=50000",
    "memory.limit_in_bytes=1024",
    "memory.memsw.limit_in_bytes=1024",
    "pids.max=10",
    "cpuset.cpus=0-1",
    "hugetlb.2MB.limit_in_bytes=4096",
    "hugetlb.2MB.rsvd.limit_in_bytes=4096",
  ]);
  assert.deepEqual(writesV1({}), []);
  assert.deepEqual(lines(writesV1({ cpuShares: 0, cpuQuotaUs: -1, pidsMax: -1 })), [
    "cpu.shares=2",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=-1",
    "pids.max=max",
  ]);
});

test("the same resources are written to cgroup v2's files, swap as what it is beyond memory", () => {
  assert.deepEqual(lines(writesV2(full)), [
    "cpu.weight=20",
    "cpu.max=50000 100000",
    "memory.max=1024",
    "memory.swap.max=0",
    "pids.max=10",
    "cpuset.cpus=0-1",
    "hugetlb.2MB.max=4096",
    "hugetlb.2MB.rsvd.max=4096",
    "memory.oom.group=1",
  ]);
  assert.ok(
    lines(writesV2({ memoryLimitBytes: 10, memorySwapLimitBytes: 15 })).includes("memory.swap.max=5"),
  );
  assert.deepEqual(lines(writesV2({ cpuQuotaUs: -1 })), ["cpu.max=max 100000"]);
});

test("shares become weights on the line that runc and the kubelet draw", () => {
  const cases = [
    [0, 1],
    [2, 1],
    [1024, 39],
    [262_144, 10_000],
    [1e9, 10_000],
  ] as const;
  for (const [shares, weight] of cases) assert.equal(cpuWeight(shares), weight);
});

test("the specification carries them for a runtime that manages cgroups itself", () => {
  assert.deepEqual(ociResources(full), {
    cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0-1" },
    memory: { limit: 1024, swap: 1024 },
    pids: { limit: 10 },
    hugepageLimits: [{ pageSize: "2MB", limit: 4096 }],
    unified: { "memory.oom.group": "1" },
  });
});
