import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import type { Clock, Log } from "../../../base/index.ts";
import { RuntimeError } from "../../contract.ts";
import type { LinuxHost } from "../../linux/host.ts";
import { type MountEntry, readMounts } from "../../linux/mountinfo.ts";
import type { CgroupDriver, RuntimeKind } from "./driver.ts";
import { readCgroupFile, removeBelow } from "./files.ts";
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
  const unified = mounts.findLast((mount) => mount.type === "cgroup2" && mount.target === "/sys/fs/cgroup");
  if (unified) return createV2Driver({ ...options, mount: unified.target });

  let hierarchies = v1Hierarchies(mounts);
  if (!hierarchies["memory"] || !hierarchies["cpu"]) {
    throw new RuntimeError(
      "Unsupported",
      "no cgroups here: neither cgroup v2 nor v1's cpu and memory are mounted",
    );
  }
  const hybrid = mounts.findLast((mount) => mount.type === "cgroup2");
  if (hybrid && options.runtime === "crun") {
    await drainUnified(hybrid.target, options);
    hierarchies = v1Hierarchies(await readMounts());
  }
  return createV1Driver({ ...options, hierarchies });
}

/**
 * crun 1.8 refuses to run, even with its cgroup manager off, while any controller is on the v2 mount beside v1 ones.
 * Mounting such a controller as a v1 hierarchy takes it from there; it goes back with the last such mount (at purge).
 * One that another cluster took is mounted too, so that it stays when that cluster goes.
 */
async function drainUnified(
  unifiedMount: string,
  { host, hierarchiesDir, log }: CgroupOptions,
): Promise<void> {
  const mounts = (await readMounts()).filter((mount) => mount.type === "cgroup");
  const system = v1Hierarchies(mounts.filter((mount) => mount.target.startsWith("/sys/fs/cgroup/")));
  const borrowed = Object.keys(v1Hierarchies(mounts)).filter(
    (name) => knownControllers.has(name) && !system[name],
  );
  const unified = (readCgroupFile(`${unifiedMount}/cgroup.controllers`) ?? "")
    .trim()
    .split(" ")
    .filter(Boolean);
  for (const controller of new Set([...unified, ...borrowed])) {
    const target = `${hierarchiesDir}/${controller}`;
    if (mounts.some((mount) => mount.target === target)) continue;
    await mkdir(target, { recursive: true });
    try {
      await host.mount({ source: "cgroup", target, type: "cgroup", data: controller });
      log.info(
        { controller, target },
        "mounted a cgroup controller as v1, because crun refuses it on v2 beside v1",
      );
    } catch (error) {
      log.warn({ controller, error }, "a controller stays on cgroup v2 beside v1; crun will refuse to run");
    }
  }
}

/** Mount options that are controllers, among others like `rw`. */
const knownControllers = new Set([
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "pids",
  "hugetlb",
  "blkio",
  "io",
  "rdma",
  "misc",
]);

function v1Hierarchies(mounts: readonly MountEntry[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const mount of mounts) {
    if (mount.type !== "cgroup") continue;
    for (const controller of mount.superOptions.split(",")) {
      found[controller] ??= mount.target;
    }
  }
  return found;
}

/** Removes everything of the cluster's root from every hierarchy that is mounted; kills what runs there. */
export async function purgeCgroups(root: string, clock: Clock): Promise<void> {
  for (const mount of await readMounts()) {
    if (mount.type !== "cgroup" && mount.type !== "cgroup2") continue;
    const path = `${mount.target}/${root}`;
    if (existsSync(path)) await removeBelow(path, clock);
  }
}
