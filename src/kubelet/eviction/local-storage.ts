import { type corev1, podLimitAmounts } from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import { diskUseOf } from "./rank.ts";
import type { DiskLayout, PodUse } from "./usage.ts";

/** Whether any limit of the pod's is on the disk it uses. */
export function hasStorageLimit({ spec }: corev1.Pod): boolean {
  return (
    (spec!.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined) ||
    [...spec!.containers, ...(spec!.initContainers ?? [])].some(
      ({ resources }) => resources?.limits?.["ephemeral-storage"] !== undefined,
    )
  );
}

/**
 * Which of its own limits on disk a pod has passed, as the message of its eviction. As upstream's
 * localStorageEviction: its volumes, then all of it, then a container.
 */
export function storageExcess(pod: corev1.Pod, use: PodUse, disks: DiskLayout): string | undefined {
  return volumeExcess(pod, use) ?? podExcess(pod, use) ?? containerExcess(pod, use, disks);
}

function volumeExcess({ spec }: corev1.Pod, use: PodUse): string | undefined {
  for (const { name, emptyDir } of spec!.volumes ?? []) {
    if (emptyDir?.sizeLimit === undefined) continue;
    const limit = parseQuantity(String(emptyDir.sizeLimit));
    const used = use.volumes.get(name)?.bytes ?? 0;
    if (limit.sign > 0 && used > limit.value())
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${limit}". `;
  }
  return undefined;
}

function podExcess(pod: corev1.Pod, use: PodUse): string | undefined {
  const limit = podLimitAmounts(pod.spec!)["ephemeral-storage"];
  if (!limit || diskUseOf(pod, use, ["root", "logs", "volumes"]).bytes <= limit.value()) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${limit}. `;
}

function containerExcess({ spec }: corev1.Pod, use: PodUse, { imageFs }: DiskLayout): string | undefined {
  for (const { name, resources } of spec!.containers) {
    const limit = parseQuantity(String(resources?.limits?.["ephemeral-storage"] ?? "0"));
    const { logs, root } = use.containers.get(name) ?? {};
    const used = (logs?.bytes ?? 0) + (imageFs === "shared" ? (root?.bytes ?? 0) : 0);
    if (limit.sign > 0 && used > limit.value())
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
  }
  return undefined;
}
