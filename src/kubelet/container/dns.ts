import type { corev1 } from "../../api/index.ts";

/** The resolver's configuration that a sandbox gets. */
export interface DnsConfig {
  servers: string[];
  searches: string[];
  options: string[];
}

export interface ClusterDns {
  /** Addresses of the cluster's DNS; empty: there is none, and pods resolve as the host does. */
  servers: readonly string[];
  domain: string;
}

/** glibc ignores more. */
const nameserversMax = 3;
/** As upstream's MaxDNSSearchPaths and MaxDNSSearchListChars. */
const searchesMax = 32;
const searchCharsMax = 2_048;

/** Parses a resolv.conf. */
export function parseResolvConf(text: string): DnsConfig {
  const config: DnsConfig = { servers: [], searches: [], options: [] };
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && values[0]) config.servers.push(values[0]);
    else if (keyword === "search")
      config.searches = values.map((v) => (v === "." ? v : v.replace(/\.$/, "")));
    else if (keyword === "options") config.options = values;
  }
  return config;
}

/**
 * By the pod's dnsPolicy and dnsConfig. As kubelet's GetPodDNS; `warnings` are for events (DNSConfigForming).
 */
export function podDns(
  pod: corev1.Pod,
  host: DnsConfig,
  cluster: ClusterDns,
): { config: DnsConfig; warnings: { reason: string; message: string }[] } {
  const warnings: { reason: string; message: string }[] = [];
  const base = basis(pod, host, cluster);
  const extra = pod.spec!.dnsConfig;
  const merged: DnsConfig = extra
    ? {
        servers: unique([...base.servers, ...(extra.nameservers ?? [])]),
        searches: unique([...base.searches, ...(extra.searches ?? [])]),
        options: mergeOptions(base.options, extra.options ?? []),
      }
    : base;
  return { config: limited(merged, warnings), warnings };
}

function basis(pod: corev1.Pod, host: DnsConfig, cluster: ClusterDns): DnsConfig {
  const policy = pod.spec!.dnsPolicy ?? "ClusterFirst";
  if (policy === "None") return { servers: [], searches: [], options: [] };
  const usesCluster =
    policy === "ClusterFirstWithHostNet" || (policy === "ClusterFirst" && !pod.spec!.hostNetwork);
  // Where a cluster has no DNS upstream warns on every pod; here that is the normal state of a small cluster.
  if (!usesCluster || cluster.servers.length === 0) return { ...host };
  const { namespace } = pod.metadata;
  const { domain } = cluster;
  return {
    servers: [...cluster.servers],
    searches: unique([`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches]),
    options: ["ndots:5"],
  };
}

function mergeOptions(base: readonly string[], extra: readonly corev1.PodDNSConfigOption[]): string[] {
  const byName = new Map(base.map((option) => [option.split(":")[0]!, option]));
  for (const { name, value } of extra) byName.set(name!, value ? `${name}:${value}` : name!);
  return [...byName.values()];
}

function limited(config: DnsConfig, warnings: { reason: string; message: string }[]): DnsConfig {
  const servers = config.servers.slice(0, nameserversMax);
  if (servers.length < config.servers.length) {
    warnings.push({
      reason: "DNSConfigForming",
      message: `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(" ")}`,
    });
  }
  let searches = config.searches.slice(0, searchesMax);
  while (searches.join(" ").length > searchCharsMax) searches = searches.slice(0, -1);
  if (searches.length < config.searches.length) {
    warnings.push({
      reason: "DNSConfigForming",
      message: `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(" ")}`,
    });
  }
  return { servers, searches, options: config.options };
}

const unique = (values: readonly string[]) => [...new Set(values)];
