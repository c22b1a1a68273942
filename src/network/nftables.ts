import { type PortMapping, runTool } from "../runtime/index.ts";

export type Family = "ip" | "ip6";

export interface RulesetInput {
  family: Family;
  /** One table a cluster and family. */
  table: string;
  bridge: string;
  /** The node's pods. */
  subnet: string;
  /** All pods of the cluster: traffic among them keeps its source address. */
  range: string;
  /** Whether pods may send to what lies beyond this machine. */
  outside: "reachable" | "unreachable";
}

/**
 * The cluster's table of one family, replacing an older one in one transaction:
 *
 * - what leaves the pod range takes the node's address;
 * - host ports lead to pods, also from the node itself and from 127.0.0.1;
 * - a packet from the bridge with a source that is not a pod's, or from elsewhere with a pod's, is dropped;
 * - a pod that may not leave the machine is told so at once.
 */
export function ruleset({ family, table, bridge, subnet, range, outside }: RulesetInput): string {
  const address = family === "ip" ? "ipv4_addr" : "ipv6_addr";
  const unreachable = family === "ip" ? "icmp type net-unreachable" : "icmpv6 type no-route";
  // The kernel that does not forward IPv6 at all drops without a word, before the forward hook.
  const early = family === "ip6" && outside === "unreachable";
  return `
table ${family} ${table}
delete table ${family} ${table}
table ${family} ${table} {
  map host-ports {
    type inet_proto . inet_service : ${address} . inet_service
  }
  map host-ip-ports {
    type ${address} . inet_proto . inet_service : ${address} . inet_service
  }
  chain to-pods {
    meta l4proto { tcp, udp, sctp } dnat ${family} to ${family} daddr . meta l4proto . th dport map @host-ip-ports
    meta l4proto { tcp, udp, sctp } dnat ${family} to meta l4proto . th dport map @host-ports
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local jump to-pods
  }
  chain output {
    type nat hook output priority -100; policy accept;
    fib daddr type local jump to-pods
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${family === "ip" ? `oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade` : ""}
    ${family} saddr ${subnet} ${family} daddr ${subnet} ct status dnat masquerade
    ${family} saddr ${subnet} ${family} daddr != ${range} oifname != "${bridge}" masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" ${family} saddr != ${subnet} drop
    iifname != "${bridge}" ${family} saddr ${subnet} drop
    ${outside === "unreachable" ? `iifname "${bridge}" oifname != "${bridge}" reject with ${unreachable}` : ""}
  }
  ${early ? `chain early {\n    type filter hook prerouting priority filter; policy accept;\n    iifname "${bridge}" ip6 saddr ${subnet} ip6 daddr != ${range} fib daddr type unicast reject with ${unreachable}\n  }` : ""}
}
`;
}

/** The map elements behind a pod's host ports, of the family of its address. A host address is for its own family. */
export function hostPortElements(
  mappings: readonly PortMapping[],
  address: string,
): { family: Family; map: string; key: string; element: string }[] {
  const family: Family = address.includes(":") ? "ip6" : "ip";
  const any = family === "ip" ? "0.0.0.0" : "::";
  return mappings
    .filter(
      ({ hostPort, hostIp }) => hostPort > 0 && (!hostIp || hostIp.includes(":") === (family === "ip6")),
    )
    .map(({ protocol, hostPort, containerPort, hostIp }) => {
      const port = `${protocol.toLowerCase()} . ${hostPort}`;
      const isAny = !hostIp || hostIp === any;
      const key = isAny ? port : `${hostIp} . ${port}`;
      return {
        family,
        map: isAny ? "host-ports" : "host-ip-ports",
        key,
        element: `${key} : ${address} . ${containerPort}`,
      };
    });
}

export async function applyRules(rules: string): Promise<void> {
  await runTool("nft", ["-f", "-"], { input: rules });
}

export async function deleteTables(table: string): Promise<void> {
  await applyRules(`table ip ${table}\ndelete table ip ${table}\n`);
  // Not on a host whose kernel has no IPv6.
  await applyRules(`table ip6 ${table}\ndelete table ip6 ${table}\n`).catch(() => {});
}
