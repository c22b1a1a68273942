import assert from "node:assert/strict";
import type { PodSandboxConfig } from "./contract.ts";
import { type ContractBed, type containerOf, untilExited } from "./contract-fixture.suite.ts";

const forever = ["sleep", "1000"];

/** What the suite lends to its parts. */
interface Harness {
  bed(): ContractBed;
  /** Runs only where processes are real. */
  real(name: string, run: () => Promise<void>): void;
  withPod<T>(use: (sandboxId: string, pod: PodSandboxConfig) => Promise<T>): Promise<T>;
  started(
    sandboxId: string,
    pod: PodSandboxConfig,
    command: readonly string[],
    changes?: Parameters<typeof containerOf>[2],
  ): Promise<string>;
}

/** Limits, and what is used of them. */
export function resourceTests({ bed, real, withPod, started }: Harness): void {
  real("a container that runs has stats, and one that ended has none", () =>
    withPod(async (sandboxId, pod) => {
      const id = await started(sandboxId, pod, forever);
      const stats = await bed().runtime.containerStats(id);
      assert.equal(stats?.containerId, id);
      assert.equal(stats.memoryWorkingSetBytes > 0, true);
      assert.equal(stats.cpuUsageNs > 0, true);
      assert.equal(stats.detail, undefined);
      const { detail } = (await bed().runtime.containerStats(id, "all"))!;
      // An engine of another's may not tell.
      if (detail)
        assert.deepEqual([detail.processes, detail.threads > 0, detail.descriptors > 0], [1, true, true]);
      await bed().runtime.stopContainer(id, { graceS: 0 });
      await untilExited(bed().runtime, id);
      assert.equal(await bed().runtime.containerStats(id), undefined);
    }),
  );

  real("what a container may use changes while it runs, and so does what its pod may", () =>
    withPod(async (sandboxId, pod) => {
      const resources = { memoryLimitBytes: 64 * mebi, cpuShares: 100, cpuQuotaUs: 50_000 };
      const id = await started(sandboxId, pod, forever, { resources });
      // A child's share of the processor may not pass its parent's: the pod grows first.
      await bed().runtime.updatePodSandboxResources(sandboxId, {
        memoryLimitBytes: 256 * mebi,
        cpuShares: 300,
        cpuQuotaUs: 90_000,
      });
      await bed().runtime.updateContainerResources(id, { memoryLimitBytes: 128 * mebi });
      await bed().runtime.updateContainerResources(id, { cpuShares: 200, cpuQuotaUs: 70_000 });
      assert.deepEqual(await limitsSeenBy(bed(), id), { memory: 128 * mebi, quotaUs: 70_000 });
      await bed().runtime.updateContainerResources(id, { memoryLimitBytes: 32 * mebi, cpuQuotaUs: 20_000 });
      await bed().runtime.updatePodSandboxResources(sandboxId, {
        memoryLimitBytes: 32 * mebi,
        cpuQuotaUs: 20_000,
      });
      assert.deepEqual(await limitsSeenBy(bed(), id), { memory: 32 * mebi, quotaUs: 20_000 });
      assert.equal((await bed().runtime.containerStatus(id))?.state, "running");
    }),
  );

  real("what a container had that has ended does not keep its pod from getting less", () =>
    withPod(async (sandboxId, pod) => {
      await bed().runtime.updatePodSandboxResources(sandboxId, { cpuQuotaUs: 90_000 });
      const id = await started(sandboxId, pod, ["true"], { resources: { cpuQuotaUs: 90_000 } });
      await untilExited(bed().runtime, id);
      await bed().runtime.updatePodSandboxResources(sandboxId, { cpuQuotaUs: 20_000 });
    }),
  );

  real("a pod's use is that of all its containers, until its sandbox is stopped", () =>
    withPod(async (sandboxId, pod) => {
      const id = await started(sandboxId, pod, forever);
      const stats = await bed().runtime.podSandboxStats(sandboxId);
      const ofContainer = (await bed().runtime.containerStats(id))!;
      assert.equal(stats?.sandboxId, sandboxId);
      assert.equal(stats.cpuUsageNs > 0, true);
      assert.equal(stats.memoryUsageBytes > 0 && ofContainer.memoryUsageBytes > 0, true);
      const disk = await bed().runtime.containerDiskUsage(id);
      assert.equal(disk === undefined || disk.usedBytes >= 0, true);
      await bed().runtime.stopPodSandbox(sandboxId);
      assert.equal(await bed().runtime.podSandboxStats("0".repeat(64)), undefined);
    }),
  );

  real("a container over its memory limit is OOMKilled", async () => {
    const grown = () =>
      withPod(async (sandboxId, pod) => {
        const id = await started(sandboxId, pod, ["sh", "-c", "x=a; while :; do x=$x$x; done"], {
          resources: { memoryLimitBytes: 16 * 1024 * 1024 },
        });
        const { reason, exitCode } = await untilExited(bed().runtime, id);
        return { reason, exitCode };
      });
    let end = await grown();
    for (let again = 0; bed().losesOomKills && end.reason === "Error" && again < 4; again++)
      end = await grown();
    assert.deepEqual(end, { reason: "OOMKilled", exitCode: 137 });
  });
}

const mebi = 1024 * 1024;

/** As the container itself reads them. */
async function limitsSeenBy(
  { runtime }: ContractBed,
  id: string,
): Promise<{ memory: number; quotaUs: number }> {
  const script =
    "cd /sys/fs/cgroup; if [ -e memory.max ]; then cat memory.max cpu.max; else cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us; fi";
  const { stdout } = await runtime.execSync(id, ["sh", "-c", script], {});
  const [memory, quota] = stdout.toString().split("\n");
  return { memory: Number(memory), quotaUs: Number(quota!.split(" ")[0]) };
}
