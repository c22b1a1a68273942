import { existsSync } from "node:fs";
import type { CgroupUsage, LinuxResources } from "../../contract.ts";
import { readMounts } from "../../linux/mountinfo.ts";
import { writeCgroupFile } from "./files.ts";
import { unifiedMount, v1Hierarchies } from "./hierarchies.ts";
import { type CgroupWrite, writesV1, writesV2 } from "./resources.ts";
import { usageV1, usageV2 } from "./stats.ts";

/**
 * The cgroups of pods whose containers another engine runs: it makes them, and as under any kubelet their limits are
 * the agent's to write.
 */
export interface PodCgroups {
  limit(cgroup: string, resources: LinuxResources): void;
  usage(cgroup: string): CgroupUsage | undefined;
}

export async function openPodCgroups(): Promise<PodCgroups> {
  const mounts = await readMounts();
  const unified = unifiedMount(mounts);
  if (unified?.isAlone) {
    const at = (cgroup: string) => `${unified.target}/${cgroup}`;
    return {
      limit: (cgroup, resources) =>
        writeAll(writesV2(resources), ({ file }) => existingFile(at(cgroup), file)),
      usage: (cgroup) => usageV2(at(cgroup)),
    };
  }
  const hierarchies = v1Hierarchies(mounts);
  const at = (controller: string, cgroup: string) =>
    hierarchies[controller] && `${hierarchies[controller]}/${cgroup}`;
  return {
    limit(cgroup, resources) {
      const writes = writesV1(resources);
      const path = ({ controller, file }: CgroupWrite) => existingFile(at(controller, cgroup), file);
      try {
        writeAll(writes, path);
      } catch {
        // As for our own: memory.limit may not pass memory.memsw.limit at any moment.
        writeAll(writes.reverse(), path);
      }
    },
    usage: (cgroup) =>
      usageV1({
        cpuacct: at("cpuacct", cgroup),
        memory: at("memory", cgroup),
        pids: at("pids", cgroup),
      }),
  };
}

/** Undefined where the engine has no such cgroup (another driver), or the kernel no such file. */
function existingFile(path: string | undefined, file: string): string | undefined {
  return path !== undefined && existsSync(`${path}/${file}`) ? `${path}/${file}` : undefined;
}

function writeAll(writes: readonly CgroupWrite[], pathOf: (write: CgroupWrite) => string | undefined): void {
  for (const write of writes) {
    const path = pathOf(write);
    if (path !== undefined) writeCgroupFile(path, write.value);
  }
}
