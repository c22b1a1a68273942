import type { corev1, storagev1 } from "../../api/index.ts";

/** What a decision knows of volumes; what earlier decisions assumed of them counts. */
export interface VolumeView {
  claim(namespace: string, name: string): corev1.PersistentVolumeClaim | undefined;
  volume(name: string): corev1.PersistentVolume | undefined;
  /** Those of a class that a claim may get. */
  volumesOfClass(name: string): readonly corev1.PersistentVolume[];
  storageClass(name: string): storagev1.StorageClass | undefined;
  /** Whether a CSI driver says how much room it has left. */
  tellsCapacity(driver: string): boolean;
  /** What drivers say of their room for volumes of a class. */
  capacitiesOfClass(name: string): readonly storagev1.CSIStorageCapacity[];
  /** How many volumes of which CSI driver a node can have, where the driver says so. */
  volumeLimits(nodeName: string): ReadonlyMap<string, number>;
  /** The volumes that are attached to a node, or are to be. */
  attachedTo(nodeName: string): readonly string[];
}

export const noVolumes: VolumeView = {
  claim: () => undefined,
  volume: () => undefined,
  volumesOfClass: () => [],
  storageClass: () => undefined,
  tellsCapacity: () => false,
  capacitiesOfClass: () => [],
  volumeLimits: () => new Map(),
  attachedTo: () => [],
};
