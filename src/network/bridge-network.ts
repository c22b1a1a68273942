import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../base/index.ts";
import {
  createLinuxHost,
  type LinuxHost,
  type PodAttachment,
  type PodNetwork,
  type PortMapping,
  RuntimeError,
} from "../runtime/index.ts";
import { AddressPool } from "./address-pool.ts";
import {
  type Bridge,
  configureBridge,
  configureBridge6,
  createBridge,
  enableForwarding,
  findBridge,
  owner,
  removeBridge,
} from "./bridge.ts";
import { forwardsIpv6, hasIpv6, type Ipv6, ipv6Of, nodePrefixLength6 } from "./ipv6.ts";
import { createPodLinks, hostLinkName, linkExists, type PodLinks } from "./links.ts";
import { applyRules, deleteTables, hostPortElements, ruleset } from "./nftables.ts";
import { formatSubnet, gatewayOf, parseSubnet, type Subnet } from "./subnet.ts";
import { endShaping, purgeShapers, shapeTraffic } from "./traffic-shaping.ts";

/** As kubeadm's usual pod network. */
const rangeDefault = "10.244.0.0/16";

export interface BridgeNetworkOptions {
  /** Persistent: which pod has which address, and its host ports. */
  dir: string;
  /** The cluster's, unique on this machine: letters, digits, `-`. */
  id: string;
  /** All pods of the cluster; the node takes a free /24 of it. */
  rangeCidr?: string;
  /** The node's own part of it; must be free. */
  podCidr?: string;
  /** `reachable` turns on IPv4 forwarding on this machine (put back by purge), which pods need for anything outside. */
  outside: "reachable" | "unreachable";
  /** Which addresses pods get; found out when absent: both where the host has IPv6. */
  families?: "ipv4" | "dual";
  /** How links are made; found out when absent. */
  host?: LinuxHost;
  log: Log;
}

/** A {@link PodNetwork} that also says which range it took. */
export interface BridgeNetwork extends PodNetwork {
  readonly podCidr: string;
  readonly gateway: string;
  /** The ranges and the node's own addresses in them, the first family first. */
  readonly podCidrs: readonly string[];
  readonly gateways: readonly string[];
}

/** Makes, or takes up, the node's bridge, routes and nftables. */
export async function createBridgeNetwork(options: BridgeNetworkOptions): Promise<BridgeNetwork> {
  const { dir, id } = options;
  const log = options.log.child({ room: "network" });
  const range = parseSubnet(options.rangeCidr ?? options.podCidr ?? rangeDefault);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const remembered = await readFile(join(dir, "pod-cidr"), "utf8").catch(() => undefined);
  const wanted = options.podCidr ?? remembered;
  const bridge =
    (await findBridge(id)) ?? (await createBridge(id, range, wanted ? parseSubnet(wanted) : undefined));
  const podCidr = formatSubnet(bridge.subnet);
  if (options.podCidr && podCidr !== formatSubnet(parseSubnet(options.podCidr))) {
    throw new RuntimeError("SandboxError", `pod range ${options.podCidr} is taken on this machine`);
  }
  await writeFile(join(dir, "pod-cidr"), podCidr);
  const table = tableName(id);
  // What waits for a child process does so together: a start waits for the network.
  const [ipv6, addresses] = await Promise.all([
    secondFamily(options, bridge, table, log),
    AddressPool.open(join(dir, "addresses"), bridge.subnet, (address) => linkExists(hostLinkName(address))),
    firstFamily(options, bridge, table, range),
  ]);
  const links = createPodLinks(options.host ?? (await createLinuxHost()));
  const network = new NodeBridge({ id, dir, bridge, table, addresses, links, ipv6, log });
  await network.restoreHostPorts();
  return network;
}

/** Sets IPv4 up, without which there is no network. */
async function firstFamily(
  { id, outside }: BridgeNetworkOptions,
  bridge: Bridge,
  table: string,
  range: Subnet,
): Promise<void> {
  const subnet = formatSubnet(bridge.subnet);
  const rules = {
    family: "ip",
    table,
    bridge: bridge.name,
    subnet,
    range: formatSubnet(range),
    outside,
  } as const;
  await Promise.all([
    configureBridge(bridge, range),
    applyRules(ruleset(rules)),
    outside === "reachable" && enableForwarding(bridge, id),
  ]);
}

/** Sets IPv6 up beside IPv4, where the host has it; what fails of it leaves pods with IPv4 alone. */
async function secondFamily(
  { id, outside, families }: BridgeNetworkOptions,
  bridge: Bridge,
  table: string,
  log: Log,
): Promise<Ipv6 | undefined> {
  const isWanted = families === undefined ? await hasIpv6() : families === "dual";
  if (!isWanted) return undefined;
  const ipv6 = ipv6Of(id, bridge.subnet);
  try {
    await configureBridge6(bridge, ipv6);
    const reach = outside === "reachable" && (await forwardsIpv6()) ? "reachable" : "unreachable";
    const { subnet, range } = ipv6;
    await applyRules(ruleset({ family: "ip6", table, bridge: bridge.name, subnet, range, outside: reach }));
    return ipv6;
  } catch (error) {
    if (families === "dual") throw error;
    log.warn({ error }, "IPv6 cannot be set up: pods get IPv4 addresses only");
    return undefined;
  }
}

/** Leaves no link, route, rule, sysctl or file of the cluster's network. */
export async function purgeBridgeNetwork(options: {
  dir: string;
  id: string;
  rangeCidr?: string;
}): Promise<void> {
  const { dir, id } = options;
  await deleteTables(tableName(id));
  await purgeShapers(owner(id));
  await removeBridge(id, parseSubnet(options.rangeCidr ?? rangeDefault));
  await rm(dir, { recursive: true, force: true });
}

function tableName(id: string): string {
  return `peapod-${id}`;
}

interface Parts {
  id: string;
  dir: string;
  bridge: Bridge;
  table: string;
  addresses: AddressPool;
  links: PodLinks;
  ipv6: Ipv6 | undefined;
  log: Log;
}

class NodeBridge implements BridgeNetwork {
  readonly podCidr: string;
  readonly gateway: string;
  readonly podCidrs: readonly string[];
  readonly gateways: readonly string[];
  readonly #parts: Parts;
  /** Host ports in the rules, by sandbox. */
  readonly #hostPorts = new Map<string, readonly PortMapping[]>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.podCidr = formatSubnet(parts.bridge.subnet);
    this.gateway = gatewayOf(parts.bridge.subnet);
    const { ipv6 } = parts;
    this.podCidrs = [this.podCidr, ...(ipv6 ? [ipv6.subnet] : [])];
    this.gateways = [this.gateway, ...(ipv6 ? [ipv6.gateway] : [])];
  }

  async attach(pod: PodAttachment): Promise<{ ips: string[] }> {
    const { addresses, links, bridge, ipv6 } = this.#parts;
    const again = addresses.addressOf(pod.sandboxId) !== undefined;
    const address = await addresses.take(pod.sandboxId);
    if (!address) {
      throw new RuntimeError("SandboxError", `no address is left in the node's pod range ${this.podCidr}`);
    }
    try {
      if (!again || !linkExists(hostLinkName(address))) {
        const { prefixLength } = bridge.subnet;
        const gateway = this.gateway;
        await links.connect({
          netnsPath: pod.netnsPath,
          bridge: bridge.name,
          address,
          prefixLength,
          gateway,
          ...(ipv6 && {
            ipv6: {
              address: ipv6.addressOf(address),
              prefixLength: nodePrefixLength6,
              gateway: ipv6.gateway,
            },
          }),
        });
      }
      await shapeTraffic(address, owner(this.#parts.id), pod.bandwidth ?? {});
      const ips = this.#addressesOf(address);
      await this.#openHostPorts(pod.sandboxId, ips, pod.portMappings);
      return { ips };
    } catch (error) {
      await endShaping(address).catch(() => {});
      await links.disconnect(address).catch(() => {});
      await addresses.free(pod.sandboxId);
      if (error instanceof RuntimeError) throw error;
      throw new RuntimeError(
        "SandboxError",
        `failed to set up the network of pod "${pod.podName}": ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  /**
   * Gives address and host ports back. The link goes with its namespace, which the kernel does for many at once, while
   * deleting it here takes 20 ms each; until it is gone the address is not given out.
   */
  async detach(sandboxId: string): Promise<void> {
    await this.#closeHostPorts(sandboxId);
    const address = this.#parts.addresses.addressOf(sandboxId);
    if (address) await endShaping(address);
    await this.#parts.addresses.free(sandboxId);
  }

  async retain(sandboxIds: readonly string[]): Promise<void> {
    const known = new Set(sandboxIds);
    for (const id of this.#parts.addresses.sandboxIds) {
      if (known.has(id)) continue;
      const address = this.#parts.addresses.addressOf(id)!;
      await this.#parts.links.disconnect(address);
      await this.detach(id);
    }
  }

  async status(): Promise<{ ready: boolean; message: string }> {
    const { name } = this.#parts.bridge;
    return linkExists(name)
      ? { ready: true, message: "" }
      : { ready: false, message: `the bridge ${name} is gone` };
  }

  /** Puts the host ports of the pods that an earlier agent attached into the fresh rules. */
  async restoreHostPorts(): Promise<void> {
    const { addresses, log } = this.#parts;
    for (const sandboxId of addresses.sandboxIds) {
      try {
        const text = await readFile(this.#hostPortFile(sandboxId), "utf8").catch(() => undefined);
        if (!text) continue;
        const mappings = JSON.parse(text) as PortMapping[];
        await this.#addRules(this.#addressesOf(addresses.addressOf(sandboxId)!), mappings);
        this.#hostPorts.set(sandboxId, mappings);
      } catch (error) {
        log.warn({ sandboxId, error }, "cannot open a pod's host ports again");
      }
    }
  }

  /** The first is the pod's own; the second follows from it. */
  #addressesOf(address: string): string[] {
    const { ipv6 } = this.#parts;
    return [address, ...(ipv6 ? [ipv6.addressOf(address)] : [])];
  }

  async #openHostPorts(
    sandboxId: string,
    ips: readonly string[],
    mappings: readonly PortMapping[],
  ): Promise<void> {
    const elements = ips.flatMap((ip) => hostPortElements(mappings, ip));
    if (elements.length === 0 || this.#hostPorts.has(sandboxId)) return;
    await this.#addRules(ips, mappings);
    this.#hostPorts.set(sandboxId, mappings);
    await mkdir(join(this.#parts.dir, "host-ports"), { recursive: true, mode: 0o700 });
    await writeFile(this.#hostPortFile(sandboxId), JSON.stringify(mappings));
  }

  /** `create` and not `add`: a port that another pod has is an error, not a change of hands. */
  async #addRules(ips: readonly string[], mappings: readonly PortMapping[]): Promise<void> {
    const lines = ips
      .flatMap((ip) => hostPortElements(mappings, ip))
      .map(
        ({ family, map, element }) => `create element ${family} ${this.#parts.table} ${map} { ${element} }`,
      );
    await applyRules(`${lines.join("\n")}\n`);
  }

  async #closeHostPorts(sandboxId: string): Promise<void> {
    const mappings = this.#hostPorts.get(sandboxId);
    const address = this.#parts.addresses.addressOf(sandboxId);
    if (!mappings || !address) return;
    const lines = this.#addressesOf(address)
      .flatMap((ip) => hostPortElements(mappings, ip))
      .map(({ family, map, key }) => `delete element ${family} ${this.#parts.table} ${map} { ${key} }`);
    this.#hostPorts.delete(sandboxId);
    await applyRules(`${lines.join("\n")}\n`).catch((error) =>
      this.#parts.log.warn({ sandboxId, error }, "cannot close a pod's host ports"),
    );
    await rm(this.#hostPortFile(sandboxId), { force: true });
  }

  #hostPortFile(sandboxId: string): string {
    return join(this.#parts.dir, "host-ports", sandboxId);
  }
}
