import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Mount, RuntimeError } from "../contract.ts";
import type { EngineContext } from "./context.ts";
import { type PodUsers, withMapped } from "./mapped.ts";
import type { ContainerRecord } from "./records.ts";
import { mountOverlay, resolveInRoot } from "./rootfs.ts";

/**
 * Each image volume's root filesystem, mounted read-only beside the container's own; an image that is mounted several
 * times is so once. Returns what each of the container's mounts of an image has as its source.
 */
export async function mountImageVolumes(
  context: EngineContext,
  record: ContainerRecord,
  users: PodUsers | undefined,
): Promise<Map<Mount, string>> {
  const roots = new Map<string, string>();
  const sources = new Map<Mount, string>();
  for (const mount of record.config.mounts) {
    const { imageId, imageSubPath } = mount;
    if (imageId === undefined) continue;
    let root = roots.get(imageId);
    if (root === undefined) {
      const { layers } = await context.images.rootfs(imageId);
      root = join(context.layout.bundle(record.id), `image-${roots.size}`);
      await mkdir(root);
      const target = root;
      await withMapped(context, record.id, users, layers, (folders) =>
        mountOverlay(context.host, { layers: folders, target }),
      );
      roots.set(imageId, root);
    }
    sources.set(mount, imageSubPath ? await partOf(root, imageSubPath, mount) : root);
  }
  return sources;
}

/** Links in it are followed inside the image only. Nothing can change there: an image's layers are read-only. */
async function partOf(root: string, subPath: string, { containerPath }: Mount): Promise<string> {
  const source = await resolveInRoot(root, subPath);
  if (existsSync(source)) return source;
  throw new RuntimeError(
    "CreateContainerError",
    `ImageVolumeMountFailed: sub path "${subPath}" of the image mounted on "${containerPath}" does not exist`,
  );
}
