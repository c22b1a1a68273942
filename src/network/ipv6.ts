import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { addressNumber, type Subnet } from "./subnet.ts";

/** A node's part, as every IPv6 link has it. */
export const nodePrefixLength6 = 64;
const clusterPrefixLength6 = 48;

/**
 * The second address family. A cluster has a range of unique local addresses (RFC 4193), a node a /64 of it, and a pod's
 * IPv6 address follows from its IPv4 one: they are given and taken together, and one file stands for both.
 */
export interface Ipv6 {
  /** All pods of the cluster. */
  range: string;
  /** The node's. */
  subnet: string;
  gateway: string;
  addressOf(address4: string): string;
}

export function ipv6Of(clusterId: string, subnet4: Subnet): Ipv6 {
  const global = createHash("sha256").update(clusterId).digest("hex").slice(0, 10);
  const cluster = `fd${global.slice(0, 2)}:${global.slice(2, 6)}:${global.slice(6, 10)}`;
  // Never zero, so that the zeroes of an address are those before the host's part.
  const node = (0x10000 + ((subnet4.base >>> 8) & 0xffff)).toString(16).slice(1);
  const prefix = `${cluster}:${node === "0000" ? "ffff" : node}`;
  const at = (offset: number) => canonical(`${prefix}::${offset.toString(16)}`);
  return {
    range: `${canonical(`${cluster}::`)}/${clusterPrefixLength6}`,
    subnet: `${canonical(`${prefix}::`)}/${nodePrefixLength6}`,
    gateway: at(1),
    addressOf: (address4) => at(addressNumber(address4) - subnet4.base),
  };
}

/** As Go writes it, and with it everyone who compares (RFC 5952). */
export function canonical(address: string): string {
  return new URL(`http://[${address}]/`).hostname.slice(1, -1);
}

/** Sixteen bytes of an address without a dotted part. */
export function addressBytes6(address: string): Buffer {
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeroes = Array<string>(8 - left.length - right.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...left, ...zeroes, ...right].forEach((group, i) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  });
  return bytes;
}

/** Whether this kernel has IPv6, and it is not turned off. */
export async function hasIpv6(): Promise<boolean> {
  const isDisabled = await readFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", "utf8").catch(() => "1");
  const isDisabledHere = await readFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", "utf8").catch(
    () => "1",
  );
  return isDisabled.trim() === "0" && isDisabledHere.trim() === "0";
}

/** Whether the host is a router for IPv6: turning that on would have it ignore the routers it learns its own routes of. */
export async function forwardsIpv6(): Promise<boolean> {
  return (await readFile("/proc/sys/net/ipv6/conf/all/forwarding", "utf8").catch(() => "0")).trim() !== "0";
}
