import type { Descriptions } from "./describe.ts";

export const nodeDescriptions: Descriptions = {
  "core/v1.Node": `
    A machine that runs pods.
    spec: What is wanted of it.
    status: What its agent reports.
  `,
  "core/v1.NodeSpec": `
    What is wanted of a node.
    podCIDR: The range its pods' addresses come from.
    podCIDRs: The ranges its pods' addresses come from, at most one of each family.
    providerID: Its id at the provider of the machine.
    unschedulable: No new pods are placed on it; see kubectl cordon.
    taints: What keeps pods away that do not tolerate it.
    configSource: No longer used.
    externalID: No longer used.
  `,
  "core/v1.NodeStatus": `
    What is known of a node.
    capacity: What the machine has.
    allocatable: What of it pods may use.
    phase: No longer used.
    conditions: Ready, MemoryPressure, DiskPressure, PIDPressure and others.
    addresses: How it is reached.
    daemonEndpoints: Where its agent listens.
    nodeInfo: Versions and ids.
    images: Images it has.
    volumesInUse: Volumes its pods use.
    volumesAttached: Volumes that are attached to it.
    runtimeHandlers: Runtimes it has, and what they can do.
    features: What it can do.
  `,
  "core/v1.NodeCondition": `
    One aspect of a node's state.
    type: Ready, MemoryPressure, DiskPressure, PIDPressure or NetworkUnavailable.
    status: True, False or Unknown.
    lastHeartbeatTime: When the node last said so.
    lastTransitionTime: When the status last changed.
    reason: Why, in one word for programs.
    message: Why, for a person.
  `,
  "core/v1.NodeAddress": `
    An address or name of a node.
    type: Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.
    address: The address.
  `,
  "core/v1.NodeSystemInfo": `
    Versions and ids of a node.
    machineID: The id in /etc/machine-id.
    systemUUID: The id the firmware reports.
    bootID: The id of the present boot.
    kernelVersion: The kernel's version.
    osImage: The operating system, as /etc/os-release names it.
    containerRuntimeVersion: The container runtime and its version.
    kubeletVersion: The agent's version.
    kubeProxyVersion: No longer used.
    operatingSystem: Such as linux.
    architecture: Such as amd64.
    swap: Its swap space.
  `,
  "core/v1.NodeDaemonEndpoints": `
    Where a node's agent listens.
    kubeletEndpoint: The agent's port.
  `,
  "core/v1.DaemonEndpoint": `
    A port.
    Port: The port.
  `,
  "core/v1.ContainerImage": `
    An image on a node.
    names: The names it is known by.
    sizeBytes: Its size.
  `,
};
