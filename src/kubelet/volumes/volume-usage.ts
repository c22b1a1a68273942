import { statfs } from "node:fs/promises";
import type { MountedVolume, VolumeUsage } from "../worker/services.ts";
import type { VolumePlugin, VolumeSpec } from "./plugin.ts";

/** Of a volume that is mounted: by its plugin, which may ask a driver, or else of the file system there. */
export async function usageOf(
  spec: VolumeSpec,
  podUid: string,
  mounted: MountedVolume | undefined,
  plugin: VolumePlugin | undefined,
): Promise<VolumeUsage | undefined> {
  if (!mounted) return undefined;
  const { claimRef } = spec.persistentVolume?.spec ?? {};
  const claim = claimRef && { namespace: claimRef.namespace!, name: claimRef.name! };
  const told = plugin?.usage
    ? await plugin.usage(spec, podUid, mounted)
    : mounted.devicePath === undefined && (await ofFileSystem(mounted.hostPath));
  return told ? { name: spec.volume.name, ...(claim && { claim }), ...told } : undefined;
}

async function ofFileSystem(path: string): Promise<Omit<VolumeUsage, "name">> {
  const { bavail, bfree, blocks, bsize, ffree, files } = await statfs(path);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
    inodesUsed: files - ffree,
  };
}
