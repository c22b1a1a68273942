import type { corev1 } from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";

/** What a claim's conditions say of its growing: over when it has. */
export const resizeConditions: ReadonlySet<string> = new Set([
  "Resizing",
  "FileSystemResizePending",
  "ControllerResizeError",
  "NodeResizeError",
]);

export interface DueExpansion {
  /** How large it is to be. */
  storage: string;
  /** Whether the claim says how far it is, as resizers of today have it. */
  isTracked: boolean;
}

/** Whether a volume is to grow on its node, by what its resizer says of the claim. Pure. */
export function dueExpansion(
  { status }: corev1.PersistentVolumeClaim,
  { spec }: corev1.PersistentVolume,
): DueExpansion | undefined {
  const { allocatedResources, allocatedResourceStatuses, capacity } = status ?? {};
  const has = capacity?.storage;
  const wanted = spec?.capacity?.["storage"];
  if (!has || !wanted || parseQuantity(has).compare(parseQuantity(wanted)) >= 0) return undefined;
  const progress = allocatedResourceStatuses?.storage;
  if (progress === undefined && allocatedResources === undefined)
    return { storage: wanted, isTracked: false };
  if (progress !== "NodeResizePending" && progress !== "NodeResizeInProgress") return undefined;
  return { storage: allocatedResources?.storage ?? wanted, isTracked: true };
}

/** The conditions and that it failed on the node. */
export function withError(
  conditions: readonly corev1.PersistentVolumeClaimCondition[] = [],
  message: string,
  now: string,
): corev1.PersistentVolumeClaimCondition[] {
  if (conditions.some(({ type, status }) => type === "NodeResizeError" && status === "True"))
    return [...conditions];
  return [
    ...conditions.filter(({ type }) => type !== "NodeResizeError"),
    {
      ...{ type: "NodeResizeError", status: "True", lastTransitionTime: now },
      message: `failed to expand pvc with ${message}`,
    },
  ];
}
