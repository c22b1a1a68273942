import { closeSync, existsSync, openSync, writeFileSync } from "node:fs";
import { insideNamespaces, type LinuxHost, runTool, type Syscalls } from "../runtime/index.ts";
import { addressBytes6 } from "./ipv6.ts";
import {
  addAddress,
  addAddress6,
  addDefaultRoute,
  addressBytes,
  addVeth,
  deleteLink,
  setHairpin,
  setLoopbackUp,
  setUp,
} from "./netlink/message.ts";
import { NetlinkError, openNetlink, transact } from "./netlink/socket.ts";
import { addressNumber } from "./subnet.ts";

/** The pod's own name of its interface, as every CNI plugin calls it. */
const podLink = "eth0";

export interface PodLink6 {
  address: string;
  prefixLength: number;
  gateway: string;
}

export interface PodLink {
  netnsPath: string;
  bridge: string;
  address: string;
  prefixLength: number;
  gateway: string;
  /** On a host with IPv6. */
  ipv6?: PodLink6;
}

/** Makes and removes pods' veth pairs: by rtnetlink in this process (1.7 ms), or by `ip` where koffi is missing. */
export interface PodLinks {
  /** Returns with loopback up, the address usable and the default route set. */
  connect(link: PodLink): Promise<void>;
  /** Nothing there is fine. Slow (20 ms): the kernel waits for its readers. */
  disconnect(address: string): Promise<void>;
}

/**
 * The host's end of a pod's veth pair. It follows from the address, so an address whose link is still there can be
 * seen: the kernel takes links down some time after their namespace.
 */
export function hostLinkName(address: string): string {
  return `pp${addressNumber(address).toString(16).padStart(8, "0")}`;
}

export function linkExists(name: string): boolean {
  return existsSync(`/sys/class/net/${name}`);
}

export function createPodLinks(host: LinuxHost): PodLinks {
  return host.syscalls ? byNetlink(host.syscalls) : byTools();
}

function byNetlink(syscalls: Syscalls): PodLinks {
  return {
    async connect({ netnsPath, bridge, address, prefixLength, gateway, ipv6 }) {
      const name = hostLinkName(address);
      const netnsFd = openSync(netnsPath, "r");
      try {
        const bridgeIndex = syscalls.interfaceIndex(bridge);
        await transact(syscalls, openNetlink(syscalls), [
          addVeth({ name, peerName: podLink, bridgeIndex, netnsFd }),
          setHairpin(name),
        ]);
      } finally {
        closeSync(netnsFd);
      }
      const inside = insideNamespaces(syscalls, { net: netnsPath }, () => {
        if (ipv6) ignoreRouters();
        return { socket: openNetlink(syscalls), index: syscalls.interfaceIndex(podLink) };
      });
      await transact(syscalls, inside.socket, [
        setLoopbackUp(),
        addAddress(inside.index, address, prefixLength),
        ...(ipv6 ? [addAddress6(inside.index, addressBytes6(ipv6.address), ipv6.prefixLength)] : []),
        setUp(inside.index),
        addDefaultRoute(addressBytes(gateway)),
        ...(ipv6 ? [addDefaultRoute(addressBytes6(ipv6.gateway))] : []),
      ]);
    },
    async disconnect(address) {
      try {
        await transact(syscalls, openNetlink(syscalls), [deleteLink(hostLinkName(address))]);
      } catch (error) {
        if (!(error instanceof NetlinkError) || error.code !== "ENODEV") throw error;
      }
    },
  };
}

/** Of the namespace this thread is in: a pod must not take a neighbour for a router. */
function ignoreRouters(): void {
  writeFileSync(`/proc/sys/net/ipv6/conf/${podLink}/accept_ra`, "0");
}

function byTools(): PodLinks {
  return {
    async connect({ netnsPath, bridge, address, prefixLength, gateway, ipv6 }) {
      const name = hostLinkName(address);
      const hostSide = [
        `link add ${name} type veth peer name ${podLink} netns ${netnsPath}`,
        `link set ${name} master ${bridge} up`,
        `link set ${name} type bridge_slave hairpin on`,
      ];
      const podSide = [
        "link set lo up",
        `addr add ${address}/${prefixLength} broadcast + dev ${podLink}`,
        ...(ipv6 ? [`addr add ${ipv6.address}/${ipv6.prefixLength} dev ${podLink} nodad`] : []),
        `link set ${podLink} up`,
        `route add default via ${gateway}`,
        ...(ipv6 ? [`route add default via ${ipv6.gateway} dev ${podLink}`] : []),
      ];
      await runTool("ip", ["-batch", "-"], { input: `${hostSide.join("\n")}\n` });
      if (ipv6) {
        const quiet = `echo 0 >/proc/sys/net/ipv6/conf/${podLink}/accept_ra`;
        await runTool("nsenter", [`--net=${netnsPath}`, "sh", "-c", quiet]);
      }
      await runTool("nsenter", [`--net=${netnsPath}`, "ip", "-batch", "-"], {
        input: `${podSide.join("\n")}\n`,
      });
    },
    async disconnect(address) {
      const name = hostLinkName(address);
      if (linkExists(name)) await runTool("ip", ["link", "delete", name]);
    },
  };
}
