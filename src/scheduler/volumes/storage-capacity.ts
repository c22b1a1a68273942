import type { corev1, storagev1 } from "../../api/index.ts";
import { parseQuantity, selectorOf } from "../../machinery/index.ts";
import type { VolumeView } from "./volume-view.ts";

/**
 * Whether there is room for a claim's volume where the node reaches it. A driver is taken to have room unless its
 * CSIDriver says that it tells; then what it tells has to be enough. Counterpart upstream: `hasEnoughCapacity`.
 */
export function hasRoomFor(
  { spec }: corev1.PersistentVolumeClaim,
  { metadata, provisioner }: storagev1.StorageClass,
  node: corev1.Node,
  view: VolumeView,
): boolean {
  const wanted = spec?.resources?.requests?.storage;
  if (wanted === undefined || !view.tellsCapacity(provisioner)) return true;
  const size = parseQuantity(wanted);
  return view.capacitiesOfClass(metadata.name!).some(({ capacity, maximumVolumeSize, nodeTopology }) => {
    // Of the two, how large one volume can be is the better answer.
    const limit = maximumVolumeSize ?? capacity;
    const isEnough = limit !== undefined && parseQuantity(limit).compare(size) >= 0;
    return isEnough && selectorOf(nodeTopology).matches(node.metadata.labels);
  });
}
