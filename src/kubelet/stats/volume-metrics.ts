import type { VolumeUsage } from "../worker/services.ts";
import type { Metric } from "./exposition.ts";
import type { DiskSample } from "./sample.ts";

const kinds = [
  ["capacityBytes", "capacity_bytes", "Capacity in bytes of the volume"],
  ["availableBytes", "available_bytes", "Number of available bytes in the volume"],
  ["usedBytes", "used_bytes", "Number of used bytes in the volume"],
  ["inodes", "inodes", "Maximum number of inodes in the volume"],
  ["inodesFree", "inodes_free", "Number of free inodes in the volume"],
  ["inodesUsed", "inodes_used", "Number of used inodes in the volume"],
] as const;

/** What is used of claims' volumes, each told once however many pods have it. */
export function volumeMetrics({ mounted }: Pick<DiskSample, "mounted">): Metric[] {
  const byClaim = new Map<string, VolumeUsage>();
  for (const usages of mounted.values())
    for (const usage of usages)
      if (usage.claim) byClaim.set(`${usage.claim.namespace}/${usage.claim.name}`, usage);
  return kinds.map(([field, name, help]) => ({
    name: `kubelet_volume_stats_${name}`,
    help,
    type: "gauge",
    series: [...byClaim.values()].flatMap(({ claim, [field]: value }) =>
      value === undefined
        ? []
        : { labels: { namespace: claim!.namespace, persistentvolumeclaim: claim!.name }, value },
    ),
  }));
}
