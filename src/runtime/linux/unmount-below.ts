import { createLinuxHost } from "./host.ts";
import { readMounts } from "./mountinfo.ts";

/** Unmounts everything below `dir`, but not what it is itself, the innermost first. What is busy is detached, and goes when it is free. */
export async function unmountBelow(dir: string): Promise<void> {
  const host = await createLinuxHost();
  const targets = (await readMounts()).map((mount) => mount.target);
  for (const target of targets.reverse()) {
    if (target.startsWith(`${dir}/`)) await host.umount(target);
  }
}
