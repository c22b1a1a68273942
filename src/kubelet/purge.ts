import { rm } from "node:fs/promises";
import { CommandMounter, type Mounter } from "./volumes/mounter.ts";

/** Removes all that agents have left under `dir`: mounts first, then files. The pods must have been stopped. */
export async function purgeKubelet({
  dir,
  mounter = new CommandMounter(),
}: {
  dir: string;
  mounter?: Mounter;
}): Promise<void> {
  for (const path of await mounter.mountsBelow(dir)) await mounter.unmount(path);
  await rm(dir, { recursive: true, force: true });
}
