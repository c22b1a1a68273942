import { chmod, chown, mkdir } from "node:fs/promises";

/** Open to every user of the pod, as upstream makes volumes; the way to it is not (see the folders above). */
export async function makeVolumeFolder(folder: string, gid: number | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (gid !== undefined && process.getuid?.() === 0) await chown(folder, 0, gid);
  await chmod(folder, gid === undefined ? 0o777 : 0o2777);
}
