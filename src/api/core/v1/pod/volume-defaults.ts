import type { corev1 } from "../../../index.ts";
import { defaultPullPolicy } from "./image-tag.ts";

const fileModeDefault = 0o644;
const tokenExpirationDefaultS = 3600;

/** A volume without a source is an empty directory. */
export function defaultVolume(volume: corev1.Volume): void {
  if (!hasSource(volume)) volume.emptyDir = {};
  if (volume.hostPath) volume.hostPath.type ??= "";
  if (volume.secret) volume.secret.defaultMode ??= fileModeDefault;
  if (volume.configMap) volume.configMap.defaultMode ??= fileModeDefault;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= fileModeDefault;
    defaultFieldRefs(volume.downwardAPI.items);
  }
  if (volume.projected) defaultProjected(volume.projected);
  if (volume.image) volume.image.pullPolicy ||= defaultPullPolicy(volume.image.reference);
  if (volume.ephemeral?.volumeClaimTemplate)
    volume.ephemeral.volumeClaimTemplate.spec.volumeMode ??= "Filesystem";
  defaultNetworkSource(volume);
}

function hasSource(volume: corev1.Volume): boolean {
  for (const field in volume) {
    if (field !== "name" && volume[field as keyof corev1.Volume] !== undefined) return true;
  }
  return false;
}

function defaultProjected(projected: corev1.ProjectedVolumeSource): void {
  projected.defaultMode ??= fileModeDefault;
  for (const source of projected.sources ?? []) {
    defaultFieldRefs(source.downwardAPI?.items);
    if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= tokenExpirationDefaultS;
  }
}

function defaultFieldRefs(files: corev1.DownwardAPIVolumeFile[] | undefined): void {
  for (const { fieldRef } of files ?? []) if (fieldRef) fieldRef.apiVersion ||= "v1";
}

type DefaultedSource = "iscsi" | "rbd" | "azureDisk" | "scaleIO";
type NetworkSources =
  | Pick<corev1.Volume, DefaultedSource>
  | Pick<corev1.PersistentVolumeSpec, DefaultedSource>;

/** Sources of other systems; kept as Kubernetes keeps them. Persistent volumes have them alike. */
export function defaultNetworkSource({ iscsi, rbd, azureDisk, scaleIO }: NetworkSources): void {
  if (iscsi) iscsi.iscsiInterface ||= "default";
  if (rbd) {
    rbd.pool ||= "rbd";
    rbd.user ||= "admin";
    rbd.keyring ||= "/etc/ceph/keyring";
  }
  if (azureDisk) {
    azureDisk.cachingMode ??= "ReadWrite";
    azureDisk.fsType ??= "ext4";
    azureDisk.readOnly ??= false;
    azureDisk.kind ??= "Shared";
  }
  if (scaleIO) {
    scaleIO.storageMode ||= "ThinProvisioned";
    scaleIO.fsType ||= "xfs";
  }
}
