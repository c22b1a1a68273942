import { createHash } from "node:crypto";
import { join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { VolumeSpec } from "../volumes/plugin.ts";
import type { VolumeUse } from "./csi-driver.ts";

export const csiPluginName = "kubernetes.io/csi";

/** The old way to say it, which stands where the field does not. */
const mountOptionsAnnotation = "volume.beta.kubernetes.io/mount-options";

export interface SecretRef {
  namespace: string;
  name: string;
}

/** A volume of a CSI driver, written in a pod or behind a claim. */
export interface CsiVolume {
  driver: string;
  /** What the driver calls it. */
  handle: string;
  mode: "Persistent" | "Ephemeral";
  readOnly: boolean;
  use: VolumeUse;
  accessModes: readonly string[];
  attributes: Readonly<Record<string, string>>;
  publishSecret?: SecretRef | undefined;
  stageSecret?: SecretRef | undefined;
  expandSecret?: SecretRef | undefined;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Of a pod's own volume: nobody else has it, and it has no other name. */
export const handleOfInline = (podUid: string, volume: string) => `csi-${sha256(`${podUid}${volume}`)}`;

/** Where a volume is staged, for all pods of the node; its `vol_data.json` is beside. */
export const stagingFolder = (pluginsDir: string, driver: string, handle: string) =>
  join(pluginsDir, csiPluginName, driver, sha256(handle), "globalmount");

/** Of a spec that the plugin can handle. */
export function csiVolumeOf(spec: VolumeSpec, pod: corev1.Pod): CsiVolume {
  const { csi } = spec.volume;
  return csi ? inlineVolume(csi, spec.name, pod) : claimedVolume(spec.persistentVolume!, spec);
}

function claimedVolume(
  { metadata, spec }: corev1.PersistentVolume,
  { readOnly }: Pick<VolumeSpec, "readOnly">,
): CsiVolume {
  const { accessModes = [], csi, mountOptions, volumeMode } = spec!;
  const { driver, fsType, volumeAttributes, volumeHandle } = csi!;
  const annotated = metadata.annotations?.[mountOptionsAnnotation];
  return {
    driver,
    handle: volumeHandle,
    mode: "Persistent",
    readOnly,
    use: {
      kind: volumeMode === "Block" ? "block" : "mount",
      accessMode: accessModes[0] ?? "ReadWriteOnce",
      fsType,
      mountOptions: mountOptions ?? annotated?.split(",") ?? [],
    },
    accessModes,
    attributes: volumeAttributes ?? {},
    publishSecret: secretOf(csi!.nodePublishSecretRef),
    stageSecret: secretOf(csi!.nodeStageSecretRef),
    expandSecret: secretOf(csi!.nodeExpandSecretRef),
  };
}

const secretOf = (ref: corev1.SecretReference | undefined): SecretRef | undefined =>
  ref && { namespace: ref.namespace!, name: ref.name! };

function inlineVolume(csi: corev1.CSIVolumeSource, name: string, { metadata }: corev1.Pod): CsiVolume {
  return {
    driver: csi.driver,
    handle: handleOfInline(metadata.uid!, name),
    mode: "Ephemeral",
    readOnly: csi.readOnly === true,
    use: { kind: "mount", accessMode: "ReadWriteOnce", fsType: csi.fsType },
    accessModes: ["ReadWriteOnce"],
    attributes: csi.volumeAttributes ?? {},
    ...(csi.nodePublishSecretRef && {
      publishSecret: { namespace: metadata.namespace!, name: csi.nodePublishSecretRef.name! },
    }),
  };
}
