import { readdir, rm } from "node:fs/promises";
import type { Clock } from "../../base/index.ts";
import { createLinuxHost } from "../linux/host.ts";
import { mountsBelow, readMounts } from "../linux/mountinfo.ts";
import { purgeCgroups } from "./cgroups/detect.ts";
import { returnControllers } from "./cgroups/hierarchies.ts";
import { keepProcessAlive } from "./keep-alive.ts";
import { Layout } from "./layout.ts";
import { killNamed } from "./processes.ts";

/**
 * Leaves nothing of an engine: no process, cgroup, mount, namespace or file. For when no engine runs on these
 * directories; it needs none of their contents to be whole.
 */
export async function purgeOciRuntime(options: {
  dir: string;
  runDir: string;
  cgroupRoot: string;
  clock: Clock;
}): Promise<void> {
  const { dir, runDir, cgroupRoot, clock } = options;
  const release = keepProcessAlive();
  try {
    await purge(dir, runDir, cgroupRoot, clock);
  } finally {
    release();
  }
}

async function purge(dir: string, runDir: string, cgroupRoot: string, clock: Clock): Promise<void> {
  const layout = new Layout(dir, runDir);
  const host = await createLinuxHost();
  await purgeCgroups(cgroupRoot, clock);
  for (const id of await readdir(layout.bundles).catch(() => [])) {
    await killNamed(`${layout.bundle(id)}/conmon.pid`, id);
    await killNamed(`${layout.bundle(id)}/pid`, id);
  }
  await returnControllers({ host, hierarchiesDir: layout.hierarchies, clock });
  const mounts = (await readMounts()).map((mount) => mount.target);
  for (const target of mounts.reverse()) {
    if (target === runDir || target.startsWith(`${runDir}/`)) await host.umount(target);
  }
  // Behind a mount that stays are volumes: their files are not the engine's to remove.
  const [left] = mountsBelow(await readMounts(), runDir);
  if (left) throw new Error(`${left.target} could not be unmounted`);
  await rm(runDir, { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
}
