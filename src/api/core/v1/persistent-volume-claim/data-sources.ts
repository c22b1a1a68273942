import type { corev1 } from "../../../index.ts";

type ClaimSpec = corev1.PersistentVolumeClaimSpec;

/**
 * The two fields that say what a volume is filled with say the same, as long as one leaves it open. Mutates.
 * As `pkg/api/persistentvolumeclaim`.
 */
export function normaliseDataSources(spec: ClaimSpec, old: ClaimSpec | undefined): void {
  const hadSource = old?.dataSource !== undefined || old?.dataSourceRef !== undefined;
  // The feature that reads another namespace is off in v1.36.
  if (spec.dataSourceRef?.namespace && old?.dataSourceRef === undefined) delete spec.dataSourceRef;
  // As ever: what could never be a source is as if it were not there.
  if (!hadSource && !spec.dataSourceRef && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource;
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource && !spec.dataSourceRef.namespace) {
    const { apiGroup, kind, name } = spec.dataSourceRef;
    spec.dataSource = { ...(apiGroup !== undefined && { apiGroup }), kind, name };
  }
}

const isClaimOrSnapshot = (source: ClaimSpec["dataSource"]) =>
  (source?.kind === "PersistentVolumeClaim" && !source.apiGroup) ||
  (source?.kind === "VolumeSnapshot" && source.apiGroup === "snapshot.storage.k8s.io");
