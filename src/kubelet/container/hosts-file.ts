import type { corev1 } from "../../api/index.ts";
import type { PodHostname } from "./hostname.ts";

const header = "# Kubernetes-managed hosts file.\n";
const headerOfHostNetwork = "# Kubernetes-managed hosts file (host network).\n";

/** `/etc/hosts` of a pod with its own network. */
export function podHostsFile(
  podIps: readonly string[],
  { hostname, domain }: PodHostname,
  aliases: readonly corev1.HostAlias[],
): string {
  const names = domain ? `${hostname}.${domain}\t${hostname}` : hostname;
  return [
    header,
    "127.0.0.1\tlocalhost\n",
    "::1\tlocalhost ip6-localhost ip6-loopback\n",
    "fe00::0\tip6-localnet\n",
    "fe00::0\tip6-mcastprefix\n",
    "fe00::1\tip6-allnodes\n",
    "fe00::2\tip6-allrouters\n",
    ...podIps.map((ip) => `${ip}\t${names}\n`),
    aliasLines(aliases),
  ].join("");
}

/** `/etc/hosts` of a pod on the host's network: the host's own, and the aliases. */
export function hostNetworkHostsFile(hostFile: string, aliases: readonly corev1.HostAlias[]): string {
  return headerOfHostNetwork + hostFile + aliasLines(aliases);
}

function aliasLines(aliases: readonly corev1.HostAlias[]): string {
  if (aliases.length === 0) return "";
  return `\n# Entries added by HostAliases.\n${aliases
    .map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join("\t")}\n`)
    .join("")}`;
}
