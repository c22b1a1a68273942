import { type PortMapping, runTool } from "../runtime/index.ts";

export interface RulesetInput {
  /** One table a cluster. */
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
 * The cluster's table, replacing an older one in one transaction:
 *
 * - what leaves the pod range takes the node's address;
 * - host ports lead to pods, also from the node itself and from 127.0.0.1;
 * - a packet from the bridge with a source that is not a pod's, or from elsewhere with a pod's, is dropped.
 */
export function ruleset({ table, bridge, subnet, range, outside }: RulesetInput): string {
  return `
table ip ${table}
delete table ip ${table}
table ip ${table} {
  map host-ports {
    type inet_proto . inet_service : ipv4_addr . inet_service
  }
  map host-ip-ports {
    type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
  }
  chain to-pods {
    meta l4proto { tcp, udp, sctp } dnat ip to ip daddr . meta l4proto . th dport map @host-ip-ports
    meta l4proto { tcp, udp, sctp } dnat ip to meta l4proto . th dport map @host-ports
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
    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade
    ip saddr ${subnet} ip daddr ${subnet} ct status dnat masquerade
    ip saddr ${subnet} ip daddr != ${range} oifname != "${bridge}" masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" ip saddr != ${subnet} drop
    iifname != "${bridge}" ip saddr ${subnet} drop
    ${outside === "unreachable" ? `iifname "${bridge}" oifname != "${bridge}" reject with icmp type net-unreachable` : ""}
  }
}
`;
}

/** The map elements behind a pod's host ports. */
export function hostPortElements(
  mappings: readonly PortMapping[],
  address: string,
): { map: string; key: string; element: string }[] {
  return mappings
    .filter((mapping) => mapping.hostPort > 0)
    .map(({ protocol, hostPort, containerPort, hostIp }) => {
      const anywhere = !hostIp || hostIp === "0.0.0.0" || hostIp === "::";
      const port = `${protocol.toLowerCase()} . ${hostPort}`;
      const key = anywhere ? port : `${hostIp} . ${port}`;
      return {
        map: anywhere ? "host-ports" : "host-ip-ports",
        key,
        element: `${key} : ${address} . ${containerPort}`,
      };
    });
}

export async function applyRules(rules: string): Promise<void> {
  await runTool("nft", ["-f", "-"], { input: rules });
}

export async function deleteTable(table: string): Promise<void> {
  await applyRules(`table ip ${table}\ndelete table ip ${table}\n`);
}
