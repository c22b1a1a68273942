import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "../runtime/index.ts";
import { type Ipv6, ipv6Of, nodePrefixLength6 } from "./ipv6.ts";
import {
  formatAddress,
  formatSubnet,
  gatewayOf,
  overlaps,
  parseSubnet,
  type Subnet,
  subnetsWithin,
} from "./subnet.ts";

/** A node's part of the pod range, as Kubernetes' own default. */
const nodePrefixLength = 24;
const linksDir = "/sys/class/net";
const ipForward = "/proc/sys/net/ipv4/ip_forward";

/**
 * Every cluster's bridge is named after its range (`pp-10.244.3`), so that the kernel, where names are unique, decides
 * between two clusters that want the same one. Its alias says whose it is, and what is to be undone when it goes.
 */
const bridgePrefix = "pp-";
export const owner = (id: string) => `peapod ${id}`;
const undoForward = "restores ip_forward=0";

interface Link {
  ifname: string;
  ifalias: string;
}

export interface Bridge {
  name: string;
  subnet: Subnet;
}

export function bridgeName(subnet: Subnet): string {
  return `${bridgePrefix}${formatAddress(subnet.base).split(".").slice(0, 3).join(".")}`;
}

/** The cluster's bridge, if it is there. */
export async function findBridge(id: string): Promise<Bridge | undefined> {
  const link = (await bridges()).find((each) => each.ifalias.startsWith(owner(id)));
  if (!link) return undefined;
  const subnet = parseSubnet(`${link.ifname.slice(bridgePrefix.length)}.0/${nodePrefixLength}`);
  return { name: link.ifname, subnet };
}

/** Makes the cluster's bridge on the first free range, trying `preferred` before all others. */
export async function createBridge(
  id: string,
  range: Subnet,
  preferred: Subnet | undefined,
): Promise<Bridge> {
  const taken = await usedSubnets(range);
  const candidates = [...(preferred ? [preferred] : []), ...subnetsWithin(range, nodePrefixLength)];
  for (const subnet of candidates) {
    if (taken.some((other) => overlaps(other, subnet))) continue;
    const name = bridgeName(subnet);
    try {
      await runTool("ip", ["link", "add", name, "address", hardwareAddress(subnet), "type", "bridge"]);
    } catch (error) {
      // Another cluster took it this very moment.
      if (/exists/i.test((error as Error).message)) continue;
      throw error;
    }
    await runTool("ip", ["link", "set", "dev", name, "alias", owner(id)]);
    return { name, subnet };
  }
  throw new Error(`no free range of /${nodePrefixLength} is left in ${formatSubnet(range)}`);
}

/** Address, state and routes; repeating it is fine. */
export async function configureBridge({ name, subnet }: Bridge, range: Subnet): Promise<void> {
  const lines = [
    `link set dev ${name} up`,
    `addr replace ${gatewayOf(subnet)}/${subnet.prefixLength} dev ${name}`,
    // What no bridge holds ends here and not at the default route.
    `route replace unreachable ${formatSubnet(range)} metric ${routeMetric(subnet)}`,
  ];
  await runTool("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` });
  // A host port reached by 127.0.0.1 leaves through the bridge with that source.
  await writeFile(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, "1");
  // A pod that asks for a host port of its own node comes and goes by the bridge.
  await writeFile(`/proc/sys/net/ipv4/conf/${name}/forwarding`, "1");
}

/** The second family's address, state and routes; repeating it is fine. */
export async function configureBridge6({ name, subnet }: Bridge, ipv6: Ipv6): Promise<void> {
  const lines = [
    `addr replace ${ipv6.gateway}/${nodePrefixLength6} dev ${name} nodad`,
    `route replace unreachable ${ipv6.range} metric ${routeMetric(subnet)}`,
  ];
  // A pod must not become this machine's router.
  await writeFile(`/proc/sys/net/ipv6/conf/${name}/accept_ra`, "0");
  await runTool("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Lets the node forward for its pods; what it was before is remembered on the bridge. */
export async function enableForwarding(bridge: Bridge, id: string): Promise<void> {
  if ((await readFile(ipForward, "utf8")).trim() !== "0") return;
  await runTool("ip", ["link", "set", "dev", bridge.name, "alias", `${owner(id)}; ${undoForward}`]);
  await writeFile(ipForward, "1");
}

/** Takes bridge and routes away, and puts forwarding back once the last cluster of this node goes. */
export async function removeBridge(id: string, range: Subnet): Promise<void> {
  const links = await bridges();
  const own = links.find((link) => link.ifalias.startsWith(owner(id)));
  if (!own) return;
  const subnet = parseSubnet(`${own.ifname.slice(bridgePrefix.length)}.0/${nodePrefixLength}`);
  if (own.ifalias.includes(undoForward)) {
    const heir = links.find((link) => link !== own && link.ifalias.startsWith("peapod "));
    if (heir)
      await runTool("ip", ["link", "set", "dev", heir.ifname, "alias", `${heir.ifalias}; ${undoForward}`]);
    else await writeFile(ipForward, "0");
  }
  const lines = [
    `route del unreachable ${formatSubnet(range)} metric ${routeMetric(subnet)}`,
    `route del unreachable ${ipv6Of(id, subnet).range} metric ${routeMetric(subnet)}`,
    `link del dev ${own.ifname}`,
  ];
  await runTool("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` }).catch(() => {});
}

/** Two clusters of the same range have the same route; their metrics keep them apart. */
function routeMetric(subnet: Subnet): number {
  return 4096 + ((subnet.base >>> 8) & 0xffff);
}

/** Fixed, because a bridge without one takes over the lowest of its ports, and pods would lose their gateway. */
function hardwareAddress(subnet: Subnet): string {
  const bytes = [0x0a, 0x58, ...gatewayOf(subnet).split(".").map(Number)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

async function bridges(): Promise<Link[]> {
  const names = (await readdir(linksDir)).filter((name) => name.startsWith(bridgePrefix));
  const links = names.map(async (ifname) => ({ ifname, ifalias: await aliasOf(ifname) }));
  return (await Promise.all(links)).filter(({ ifname }) => existsSync(join(linksDir, ifname, "bridge")));
}

/** Empty for a link without one, and for one that has just gone. */
async function aliasOf(link: string): Promise<string> {
  return (await readFile(join(linksDir, link, "ifalias"), "utf8").catch(() => "")).trim();
}

/** What addresses and routes of this machine lie in `range`; unreachable routes hold nothing. */
async function usedSubnets(range: Subnet): Promise<Subnet[]> {
  const text = await runTool("ip", ["-j", "-4", "route", "show", "table", "all"]);
  const used: Subnet[] = [];
  for (const { dst, type } of JSON.parse(text || "[]") as { dst: string; type?: string }[]) {
    if (type === "unreachable" || !/^\d/.test(dst)) continue;
    const subnet = parseSubnet(dst.includes("/") ? dst : `${dst}/32`);
    if (subnet.prefixLength > range.prefixLength && overlaps(subnet, range)) used.push(subnet);
  }
  return used;
}
