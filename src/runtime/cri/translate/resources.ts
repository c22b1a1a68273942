import type { LinuxResources } from "../../contract.ts";
import { RuntimeError } from "../../contract.ts";
import type { Message, Sparse } from "../wire/index.ts";

/** CRI knows no limit of pids of its own: it goes by its cgroup v2 file, as containerd and CRI-O take it. */
const pidsMaxFile = "pids.max";
/** The same goes for what is killed when memory runs out. */
const oomGroupFile = "memory.oom.group";

export function resourcesToCri(resources: LinuxResources): Sparse<"LinuxContainerResources"> {
  return {
    cpuShares: resources.cpuShares,
    cpuQuota: resources.cpuQuotaUs,
    cpuPeriod: resources.cpuPeriodUs,
    memoryLimitInBytes: resources.memoryLimitBytes,
    memorySwapLimitInBytes: resources.memorySwapLimitBytes,
    oomScoreAdj: resources.oomScoreAdj,
    cpusetCpus: resources.cpusetCpus,
    hugepageLimits: resources.hugepages?.map(({ pageSize, limitBytes }) => ({ pageSize, limit: limitBytes })),
    unified: {
      ...(resources.pidsMax !== undefined && { [pidsMaxFile]: String(resources.pidsMax) }),
      ...(resources.oomKillsAll && { [oomGroupFile]: "1" }),
    },
  };
}

/** Zero is "not given" throughout. Throws `InvalidArgument` for what the contract cannot say. */
export function resourcesFromCri(resources: Message<"LinuxContainerResources"> | null): LinuxResources {
  if (!resources) return {};
  if (resources.cpusetMems) throw new RuntimeError("InvalidArgument", "cpuset_mems is not supported");
  const { [pidsMaxFile]: pids, [oomGroupFile]: oomGroup, ...unified } = resources.unified;
  const [unknown] = Object.keys(unified);
  if (unknown !== undefined)
    throw new RuntimeError(
      "InvalidArgument",
      `unified: ${unknown} is not supported, only ${pidsMaxFile} and ${oomGroupFile} are`,
    );
  const given = <K extends keyof LinuxResources>(key: K, value: LinuxResources[K]) =>
    value ? { [key]: value } : {};
  return {
    ...given("cpuShares", resources.cpuShares),
    // A quota of -1 is none.
    ...given("cpuQuotaUs", Math.max(resources.cpuQuota, -1)),
    ...given("cpuPeriodUs", resources.cpuPeriod),
    ...given("memoryLimitBytes", resources.memoryLimitInBytes),
    ...given("memorySwapLimitBytes", resources.memorySwapLimitInBytes),
    ...given("oomScoreAdj", resources.oomScoreAdj),
    ...given("cpusetCpus", resources.cpusetCpus),
    ...given("pidsMax", /^\d+$/.test(pids ?? "") ? Number(pids) : undefined),
    ...(oomGroup === "1" && { oomKillsAll: true as const }),
    ...(resources.hugepageLimits.length > 0 && {
      hugepages: resources.hugepageLimits.map(({ pageSize, limit }) => ({ pageSize, limitBytes: limit })),
    }),
  };
}
