import type { LinuxResources } from "../../contract.ts";

/** A value to write to a file of a cgroup; v1 says in which controller's hierarchy. */
export interface CgroupWrite {
  controller: "cpu" | "memory" | "pids" | "cpuset" | "hugetlb";
  file: string;
  value: string;
  /** Some kernels lack the file (swap accounting off): then the write is left out. */
  optional?: true;
}

const cpuPeriodUsDefault = 100_000;

/** The files that say `resources` in cgroup v1. */
export function writesV1(resources: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (controller: CgroupWrite["controller"], file: string, value: number | string) =>
    writes.push({ controller, file: `${controller}.${file}`, value: String(value) });
  if (resources.cpuShares !== undefined) put("cpu", "shares", Math.max(resources.cpuShares, 2));
  if (resources.cpuQuotaUs !== undefined) {
    put("cpu", "cfs_period_us", resources.cpuPeriodUs ?? cpuPeriodUsDefault);
    put("cpu", "cfs_quota_us", resources.cpuQuotaUs > 0 ? resources.cpuQuotaUs : -1);
  }
  if (resources.memoryLimitBytes !== undefined) {
    put("memory", "limit_in_bytes", resources.memoryLimitBytes);
    // Without swap of its own, as the kubelet asks for: a pod that is over its limit ends instead of crawling.
    const swap = resources.memorySwapLimitBytes ?? resources.memoryLimitBytes;
    writes.push({
      controller: "memory",
      file: "memory.memsw.limit_in_bytes",
      value: String(swap),
      optional: true,
    });
  }
  if (resources.pidsMax !== undefined) put("pids", "max", resources.pidsMax > 0 ? resources.pidsMax : "max");
  if (resources.cpusetCpus) put("cpuset", "cpus", resources.cpusetCpus);
  for (const { pageSize, limitBytes } of resources.hugepages ?? []) {
    put("hugetlb", `${pageSize}.limit_in_bytes`, limitBytes);
    writes.push(whereItIs("hugetlb", `${pageSize}.rsvd.limit_in_bytes`, limitBytes));
  }
  return writes;
}

/** The files that say `resources` in cgroup v2. */
export function writesV2(resources: LinuxResources): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  const put = (controller: CgroupWrite["controller"], file: string, value: number | string) =>
    writes.push({ controller, file: `${controller}.${file}`, value: String(value) });
  if (resources.cpuShares !== undefined) put("cpu", "weight", cpuWeight(resources.cpuShares));
  if (resources.cpuQuotaUs !== undefined) {
    const quota = resources.cpuQuotaUs > 0 ? resources.cpuQuotaUs : "max";
    put("cpu", "max", `${quota} ${resources.cpuPeriodUs ?? cpuPeriodUsDefault}`);
  }
  if (resources.memoryLimitBytes !== undefined) {
    put("memory", "max", resources.memoryLimitBytes);
    const swap = (resources.memorySwapLimitBytes ?? resources.memoryLimitBytes) - resources.memoryLimitBytes;
    writes.push({
      controller: "memory",
      file: "memory.swap.max",
      value: String(Math.max(swap, 0)),
      optional: true,
    });
  }
  if (resources.pidsMax !== undefined) put("pids", "max", resources.pidsMax > 0 ? resources.pidsMax : "max");
  if (resources.cpusetCpus) put("cpuset", "cpus", resources.cpusetCpus);
  for (const { pageSize, limitBytes } of resources.hugepages ?? []) {
    writes.push(whereItIs("hugetlb", `${pageSize}.max`, limitBytes));
    writes.push(whereItIs("hugetlb", `${pageSize}.rsvd.max`, limitBytes));
  }
  if (resources.oomKillsAll) writes.push(whereItIs("memory", "oom.group", 1));
  return writes;
}

/**
 * For a file that not every kernel has. Of huge pages, `rsvd` counts them when they are mapped, which is when a process can
 * still be told: since Linux 5.7.
 */
const whereItIs = (controller: CgroupWrite["controller"], file: string, value: number): CgroupWrite => ({
  controller,
  file: `${controller}.${file}`,
  value: String(value),
  optional: true,
});

/** For a cgroup, or a runtime, that has no controller of them. */
export const withoutHugepages = (resources: LinuxResources): LinuxResources => ({
  ...resources,
  hugepages: [],
});

/** v1's shares 2…262144 on v2's weights 1…10000; the line that runc, crun and the kubelet use. */
export function cpuWeight(shares: number): number {
  const clamped = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((clamped - 2) * 9999) / 262_142);
}

/** `linux.resources` of the OCI specification, for a runtime that manages the cgroup itself. */
export function ociResources(resources: LinuxResources): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const cpu: Record<string, unknown> = {};
  if (resources.cpuShares !== undefined) cpu["shares"] = Math.max(resources.cpuShares, 2);
  if (resources.cpuQuotaUs !== undefined) {
    cpu["quota"] = resources.cpuQuotaUs > 0 ? resources.cpuQuotaUs : -1;
    cpu["period"] = resources.cpuPeriodUs ?? cpuPeriodUsDefault;
  }
  if (resources.cpusetCpus) cpu["cpus"] = resources.cpusetCpus;
  if (Object.keys(cpu).length > 0) out["cpu"] = cpu;
  if (resources.memoryLimitBytes !== undefined) {
    out["memory"] = {
      limit: resources.memoryLimitBytes,
      swap: resources.memorySwapLimitBytes ?? resources.memoryLimitBytes,
    };
  }
  if (resources.pidsMax !== undefined)
    out["pids"] = { limit: resources.pidsMax > 0 ? resources.pidsMax : -1 };
  if (resources.hugepages?.length) {
    out["hugepageLimits"] = resources.hugepages.map(({ pageSize, limitBytes }) => ({
      pageSize,
      limit: limitBytes,
    }));
  }
  if (resources.oomKillsAll) out["unified"] = { "memory.oom.group": "1" };
  return out;
}
