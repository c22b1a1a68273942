import assert from "node:assert/strict";
import { test } from "node:test";
import { exposition } from "./exposition.ts";
import { volumeMetrics } from "./volume-metrics.ts";

test("what is used of a claim is told once, and only as much as is known", () => {
  const claim = { namespace: "ns", name: "data" };
  const mounted = new Map([
    [
      "one",
      [
        { name: "v", claim, capacityBytes: 100, usedBytes: 30 },
        { name: "inline", usedBytes: 7 },
      ],
    ],
    ["two", [{ name: "w", claim, capacityBytes: 100, usedBytes: 30 }]],
  ]);
  assert.equal(
    exposition(volumeMetrics({ mounted })),
    `# HELP kubelet_volume_stats_capacity_bytes Capacity in bytes of the volume
# TYPE kubelet_volume_stats_capacity_bytes gauge
kubelet_volume_stats_capacity_bytes{namespace="ns",persistentvolumeclaim="data"} 100
# HELP kubelet_volume_stats_used_bytes Number of used bytes in the volume
# TYPE kubelet_volume_stats_used_bytes gauge
kubelet_volume_stats_used_bytes{namespace="ns",persistentvolumeclaim="data"} 30
`,
  );
});
