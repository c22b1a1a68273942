import { existsSync } from "node:fs";
import type { Clock, Log } from "../../../base/index.ts";
import { RuntimeError } from "../../contract.ts";
import type { LinuxHost } from "../../linux/host.ts";
import { readMounts } from "../../linux/mountinfo.ts";
import type { CgroupDriver, RuntimeKind } from "./driver.ts";
import { removeBelow } from "./files.ts";
import { borrowControllers, ownHierarchies, unifiedMount } from "./hierarchies.ts";
import { createV1Driver } from "./v1.ts";
import { createV2Driver } from "./v2.ts";

export interface CgroupOptions {
  host: LinuxHost;
  /** Of this cluster alone: `peapod-x`. */
  root: string;
  /** Where a hierarchy may be mounted. */
  hierarchiesDir: string;
  runtime: RuntimeKind;
  /** Whether the agent has what it takes to load a device filter on cgroup v2. */
  deviceFilter: boolean;
  clock: Clock;
  log: Log;
}

/** The driver for what this host has mounted; throws `Unsupported` where it has none. */
export async function createCgroupDriver(options: CgroupOptions): Promise<CgroupDriver> {
  const mounts = await readMounts();
  const unified = unifiedMount(mounts);
  if (unified?.isAlone) return createV2Driver({ ...options, mount: unified.target });

  const { memory, cpu } = ownHierarchies(mounts, options.hierarchiesDir);
  if (!memory || !cpu) {
    throw new RuntimeError(
      "Unsupported",
      "no cgroups here: neither cgroup v2 nor v1's cpu and memory are mounted",
    );
  }
  if (options.runtime === "crun") await borrowControllers(options);
  const hierarchies = ownHierarchies(await readMounts(), options.hierarchiesDir);
  return createV1Driver({ ...options, hierarchies });
}

/** Removes everything of the cluster's root from every hierarchy that is mounted; kills what runs there. */
export async function purgeCgroups(root: string, clock: Clock): Promise<void> {
  for (const mount of await readMounts()) {
    if (mount.type !== "cgroup" && mount.type !== "cgroup2") continue;
    const path = `${mount.target}/${root}`;
    if (existsSync(path)) await removeBelow(path, clock);
  }
}
