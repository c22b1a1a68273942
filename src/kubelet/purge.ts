import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BlockDevices } from "./volumes/block-devices.ts";
import { CommandMounter, type Mounter } from "./volumes/mounter.ts";

/** Removes all that agents have left under `dir`: mounts first, then loop devices and files. The pods must have been stopped. */
export async function purgeKubelet({
  dir,
  mounter = new CommandMounter(),
}: {
  dir: string;
  mounter?: Mounter;
}): Promise<void> {
  for (const path of await mounter.mountsBelow(dir)) await mounter.unmount(path);
  await new BlockDevices({ pluginsDir: join(dir, "plugins") }).removeAll();
  await rm(dir, { recursive: true, force: true });
}
