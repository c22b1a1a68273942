import assert from "node:assert/strict";
import { test } from "node:test";
import { TestCluster } from "./support/cluster.ts";
import { soak } from "./support/soak.ts";

test("after forty pods of every kind the host is as it was; two thousand are `bench/soak.ts`", async () => {
  const cluster = await TestCluster.start();
  try {
    const { dataDir, kubeconfig } = cluster;
    const { grown } = await soak(
      { dataDir, kubeconfig, pid: await cluster.pid() },
      { pods: 40, parallel: 6 },
    );
    assert.deepEqual(grown, {});
  } finally {
    await cluster.purge();
  }
});
