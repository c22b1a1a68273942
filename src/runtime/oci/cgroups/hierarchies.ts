import { mkdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import type { Clock, Log } from "../../../base/index.ts";
import type { LinuxHost } from "../../linux/host.ts";
import { type MountEntry, mountsBelow, readMounts } from "../../linux/mountinfo.ts";
import { keepProcessAlive } from "../keep-alive.ts";
import { readCgroupFile } from "./files.ts";

/** Where a system mounts its cgroups. */
export const systemCgroups = "/sys/fs/cgroup";

/** Where cgroup v2 is mounted: alone, or beside hierarchies of v1. */
export function unifiedMount(
  mounts: readonly MountEntry[],
): { target: string; isAlone: boolean } | undefined {
  const unified = mounts.filter(({ type }) => type === "cgroup2");
  const found = unified.findLast(({ target }) => target === systemCgroups) ?? unified.at(-1);
  return found && { target: found.target, isAlone: found.target === systemCgroups };
}

/** The system's own hierarchies of v1, without those that clusters mounted. */
const systemHierarchies = (mounts: readonly MountEntry[]) =>
  v1Hierarchies(mountsBelow(mounts, systemCgroups));

/** Where each controller of cgroup v1 is mounted: the first place. */
export function v1Hierarchies(mounts: readonly MountEntry[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const mount of mounts) {
    if (mount.type !== "cgroup") continue;
    for (const controller of mount.superOptions.split(",")) {
      found[controller] ??= mount.target;
    }
  }
  return found;
}

/**
 * crun 1.8 refuses to run, even with its cgroup manager off, while any controller is on the v2 mount beside v1 ones.
 * Mounting such a controller as a v1 hierarchy takes it from there; `returnControllers` gives it back.
 * One that another cluster took is mounted too, so that it stays when that cluster goes. Where v2 is alone, or not
 * mounted, there is nothing to do.
 */
export async function borrowControllers(options: {
  host: LinuxHost;
  hierarchiesDir: string;
  log: Log;
}): Promise<void> {
  const { host, hierarchiesDir, log } = options;
  const mounts = await readMounts();
  const unified = unifiedMount(mounts);
  if (!unified || unified.isAlone) return;
  const system = systemHierarchies(mounts);
  const borrowed = (await readControllers()).filter(({ attached, name }) => attached && !system[name]);
  const left = (readCgroupFile(`${unified.target}/cgroup.controllers`) ?? "")
    .trim()
    .split(" ")
    .filter(Boolean);
  for (const controller of new Set([...left, ...borrowed.map(({ name }) => name)])) {
    const target = `${hierarchiesDir}/${controller}`;
    if (mounts.some((mount) => mount.target === target)) continue;
    await mkdir(target, { recursive: true });
    try {
      await mountHierarchy(host, controller, target);
      log.info(
        { controller, target },
        "mounted a cgroup controller as v1, because crun refuses it on v2 beside v1",
      );
    } catch (error) {
      log.warn({ controller, error }, "a controller stays on cgroup v2 beside v1; crun will refuse to run");
    }
  }
}

/** The hierarchies for one cluster: the system's and those it borrowed. Others may be another cluster's, and go with it. */
export function ownHierarchies(
  mounts: readonly MountEntry[],
  hierarchiesDir: string,
): Record<string, string> {
  const system = systemHierarchies(mounts);
  const own = v1Hierarchies(mountsBelow(mounts, hierarchiesDir));
  return { ...(system["memory"] ? system : v1Hierarchies(mounts)), ...own };
}

const mountHierarchy = (host: LinuxHost, controller: string, target: string) =>
  host.mount({ source: "cgroup", target, type: "cgroup", data: controller });

/** The kernel takes some 60 ms to forget a cgroup that was removed, and as long to let go of a hierarchy. */
const settleMsMax = 500;
const settlePauseMs = 5;
const returnTriesMax = 4;

/**
 * Unmounts what `borrowControllers` mounted in `hierarchiesDir`. With the last mount of it a controller goes back to
 * cgroup v2, but only if the kernel has forgotten all cgroups in it by then: else it stays attached for ever and is
 * mounted nowhere, and every containerd on this machine loses its containers' metrics and their OOM kills.
 */
export async function returnControllers(options: {
  host: LinuxHost;
  hierarchiesDir: string;
  clock: Clock;
}): Promise<void> {
  const { host, hierarchiesDir, clock } = options;
  /** Whether a controller came to be so, or is another's to give back, before it takes too long. */
  const settled = async (controller: string, isSo: (state: ControllerState) => boolean) => {
    const giveUpMs = clock.monotonicMs() + settleMsMax;
    for (;;) {
      const state = (await readControllers()).find(({ name }) => name === controller);
      if (!state || isSo(state)) return true;
      const mounts = await readMounts();
      const own = mountsBelow(mounts, hierarchiesDir);
      if (v1Hierarchies(mounts.filter((mount) => !own.includes(mount)))[controller]) return true;
      if (clock.monotonicMs() > giveUpMs) return false;
      await clock.sleep(settlePauseMs);
    }
  };
  const release = keepProcessAlive();
  try {
    for (const { target } of mountsBelow(await readMounts(), hierarchiesDir)) {
      const controller = basename(target);
      for (let tries = 1; ; tries++) {
        await settled(controller, ({ cgroups }) => cgroups === 1);
        await host.umount(target);
        if ((await settled(controller, ({ attached }) => !attached)) || tries === returnTriesMax) break;
        // Another cluster's last cgroups were dying. Mounted once more, it can be let go once more.
        await mountHierarchy(host, controller, target);
      }
    }
  } finally {
    release();
  }
}

interface ControllerState {
  name: string;
  /** To a hierarchy of cgroup v1, mounted or not. */
  attached: boolean;
  /** The root is one. */
  cgroups: number;
}

/** Lines of `NAME HIERARCHY CGROUPS ENABLED`; those that no hierarchy of v1 has are in hierarchy 0. */
async function readControllers(): Promise<ControllerState[]> {
  const text = await readFile("/proc/cgroups", "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => line.split("\t"))
    .map(([name, hierarchy, cgroups]) => ({
      name: name!,
      attached: hierarchy !== "0",
      cgroups: Number(cgroups),
    }));
}
