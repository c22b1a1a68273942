import type { PodSandboxConfig } from "../contract.ts";

/** The pod's /etc/resolv.conf; without any setting it is the host's, as CRI has it. */
export function resolvConf(dns: PodSandboxConfig["dns"], hostText: string): string {
  const { servers, searches, options } = dns;
  if (servers.length === 0 && searches.length === 0 && options.length === 0) return hostText;
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}
