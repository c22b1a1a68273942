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
  createBridge,
  enableForwarding,
  findBridge,
  removeBridge,
} from "./bridge.ts";
import { createPodLinks, hostLinkName, linkExists, type PodLinks } from "./links.ts";
import { applyRules, deleteTable, hostPortElements, ruleset } from "./nftables.ts";
import { formatSubnet, gatewayOf, parseSubnet } from "./subnet.ts";

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
  /** How links are made; found out when absent. */
  host?: LinuxHost;
  log: Log;
}

/** A {@link PodNetwork} that also says which range it took. */
export interface BridgeNetwork extends PodNetwork {
  readonly podCidr: string;
  readonly gateway: string;
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
  await configureBridge(bridge, range);
  if (options.outside === "reachable") await enableForwarding(bridge, id);
  const table = tableName(id);
  const { outside } = options;
  await applyRules(
    ruleset({ table, bridge: bridge.name, subnet: podCidr, range: formatSubnet(range), outside }),
  );
  const addresses = await AddressPool.open(join(dir, "addresses"), bridge.subnet, (address) =>
    linkExists(hostLinkName(address)),
  );
  const links = createPodLinks(options.host ?? (await createLinuxHost()));
  const network = new NodeBridge({ dir, bridge, table, addresses, links, log });
  await network.restoreHostPorts();
  return network;
}

/** Leaves no link, route, rule, sysctl or file of the cluster's network. */
export async function purgeBridgeNetwork(options: {
  dir: string;
  id: string;
  rangeCidr?: string;
}): Promise<void> {
  const { dir, id } = options;
  await deleteTable(tableName(id));
  await removeBridge(id, parseSubnet(options.rangeCidr ?? rangeDefault));
  await rm(dir, { recursive: true, force: true });
}

function tableName(id: string): string {
  return `peapod-${id}`;
}

interface Parts {
  dir: string;
  bridge: Bridge;
  table: string;
  addresses: AddressPool;
  links: PodLinks;
  log: Log;
}

class NodeBridge implements BridgeNetwork {
  readonly podCidr: string;
  readonly gateway: string;
  readonly #parts: Parts;
  /** Host ports in the rules, by sandbox. */
  readonly #hostPorts = new Map<string, readonly PortMapping[]>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.podCidr = formatSubnet(parts.bridge.subnet);
    this.gateway = gatewayOf(parts.bridge.subnet);
  }

  async attach(pod: PodAttachment): Promise<{ ips: string[] }> {
    const { addresses, links, bridge } = this.#parts;
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
        });
      }
      await this.#openHostPorts(pod.sandboxId, address, pod.portMappings);
      return { ips: [address] };
    } catch (error) {
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
        await this.#addRules(addresses.addressOf(sandboxId)!, mappings);
        this.#hostPorts.set(sandboxId, mappings);
      } catch (error) {
        log.warn({ sandboxId, error }, "cannot open a pod's host ports again");
      }
    }
  }

  async #openHostPorts(sandboxId: string, address: string, mappings: readonly PortMapping[]): Promise<void> {
    if (hostPortElements(mappings, address).length === 0 || this.#hostPorts.has(sandboxId)) return;
    await this.#addRules(address, mappings);
    this.#hostPorts.set(sandboxId, mappings);
    await mkdir(join(this.#parts.dir, "host-ports"), { recursive: true, mode: 0o700 });
    await writeFile(this.#hostPortFile(sandboxId), JSON.stringify(mappings));
  }

  /** `create` and not `add`: a port that another pod has is an error, not a change of hands. */
  async #addRules(address: string, mappings: readonly PortMapping[]): Promise<void> {
    const lines = hostPortElements(mappings, address).map(
      ({ map, element }) => `create element ip ${this.#parts.table} ${map} { ${element} }`,
    );
    await applyRules(`${lines.join("\n")}\n`);
  }

  async #closeHostPorts(sandboxId: string): Promise<void> {
    const mappings = this.#hostPorts.get(sandboxId);
    const address = this.#parts.addresses.addressOf(sandboxId);
    if (!mappings || !address) return;
    const lines = hostPortElements(mappings, address).map(
      ({ map, key }) => `delete element ip ${this.#parts.table} ${map} { ${key} }`,
    );
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
