import type { SharedCgroups } from "../contract.ts";
import type { EngineContext } from "./context.ts";

/** Those above the pods', below the cluster's root. */
export function sharedCgroups({ cgroupRoot, cgroups }: EngineContext): SharedCgroups {
  const at = (cgroup: string) => `${cgroupRoot}/${cgroup}`;
  return {
    // Made where it is not there yet, so that the first pod finds it limited.
    limit: async (cgroup, resources) => cgroups.createPod(at(cgroup), resources),
    usage: async (cgroup) => cgroups.stats(at(cgroup)),
  };
}
