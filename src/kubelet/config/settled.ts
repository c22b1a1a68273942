import type { ClusterDns } from "../container/dns.ts";
import type { KubeletConfig } from "./fields.ts";

/** As many as a laptop's link and disk are busy with; upstream's default is one, after which others wait. */
const parallelPullsDefault = 4;

/** How many images are pulled at a time. */
export function parallelPullsOf({ maxParallelImagePulls, serializeImagePulls }: KubeletConfig): number {
  return serializeImagePulls ? 1 : (maxParallelImagePulls ?? parallelPullsDefault);
}

/** What is killed of a container that is out of memory. Undefined: the settings ask for what cgroup v1 cannot. */
export function oomKillsOf(
  { singleProcessOOMKill }: KubeletConfig,
  cgroups: "v1" | "v2",
): "process" | "container" | undefined {
  if (cgroups === "v1") return singleProcessOOMKill === false ? undefined : "process";
  return singleProcessOOMKill ? "process" : "container";
}

export function clusterDnsOf({ clusterDNS, clusterDomain }: KubeletConfig): ClusterDns {
  return { servers: clusterDNS, domain: clusterDomain };
}

/** The file that pods' own resolver configuration is made from; empty: none. */
export function resolvConfPathOf({ resolvConf }: KubeletConfig): string | undefined {
  return resolvConf === "" ? undefined : resolvConf;
}
