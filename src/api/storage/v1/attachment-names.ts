import { createHash } from "node:crypto";

/** The name of the VolumeAttachment of a driver's volume on a node. */
export const attachmentName = (handle: string, driver: string, nodeName: string): string =>
  `csi-${createHash("sha256").update(`${handle}${driver}${nodeName}`).digest("hex")}`;

const prefix = "kubernetes.io/csi/";

/** As a node's status and the attaching controller call a driver's volume. */
export const uniqueVolumeName = (driver: string, handle: string): string => `${prefix}${driver}^${handle}`;

/** What such a name says; undefined for that of another kind of volume. */
export function volumeOfUniqueName(unique: string): { driver: string; handle: string } | undefined {
  const at = unique.indexOf("^");
  if (!unique.startsWith(prefix) || at < 0) return undefined;
  return { driver: unique.slice(prefix.length, at), handle: unique.slice(at + 1) };
}
