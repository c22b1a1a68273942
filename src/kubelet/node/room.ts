import type { KubeletConfig } from "../config/fields.ts";
import { KubeletConfigError } from "../config/read-config.ts";
import { oomKillsOf } from "../config/settled.ts";
import { reservationProblems } from "./capacity.ts";
import { readHostInfo } from "./host-info.ts";

/** @throws {@link KubeletConfigError} where this machine cannot do what is asked. `dir`: on the disk that pods share. */
export async function requireRoom(config: KubeletConfig, dir: string): Promise<void> {
  const host = await readHostInfo(dir);
  const problems = reservationProblems(host, config);
  if (problems.length > 0)
    throw new KubeletConfigError(`invalid Node Allocatable configuration. ${problems.join("\n")}`);
  if (!oomKillsOf(config, host.cgroups))
    throw new KubeletConfigError("singleProcessOOMKill: must not be false on a machine with cgroup v1");
}
