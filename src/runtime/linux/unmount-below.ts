import { createLinuxHost } from "./host.ts";
import { mountsBelow, readMounts } from "./mountinfo.ts";

/** Unmounts everything below `dir`, but not what it is itself, the innermost first. What is busy is detached, and goes when it is free. */
export async function unmountBelow(dir: string): Promise<void> {
  const host = await createLinuxHost();
  for (const { target } of mountsBelow(await readMounts(), dir).reverse()) await host.umount(target);
}
