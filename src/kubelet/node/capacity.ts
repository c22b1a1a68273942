import { Quantity } from "../../machinery/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { defaultConfig } from "../config/read-config.ts";
import { thresholdAmount } from "../config/thresholds.ts";

/** What of a machine is shared out. */
export interface MachineSize {
  cpus: number;
  memoryBytes: number;
  storageBytes: number;
  hugepages: Readonly<Record<string, string>>;
}

export interface NodeResources {
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
}

/** How many pods the node takes. */
export function podsMaxOf({ maxPods, podsPerCore }: KubeletConfig, cpus: number): number {
  return podsPerCore > 0 ? Math.min(podsPerCore * cpus, maxPods) : maxPods;
}

/** What the node has and what of it pods may ask for. As `pkg/kubelet/cm/node_container_manager_linux.go`. */
export function nodeResources(machine: MachineSize, config: KubeletConfig): NodeResources {
  const pods = String(podsMaxOf(config, machine.cpus));
  const hugepages = { "hugepages-1Gi": "0", "hugepages-2Mi": "0", ...machine.hugepages };
  const { memoryBytes, storageBytes } = wholeKi(machine);
  const capacity = { cpu: String(machine.cpus), pods, ...hugepages };
  const left = (name: string, has: number, threshold = 0) =>
    Math.max(has - reservedOf(config, name).value() - threshold, 0);
  const huge = Object.entries(hugepages).map(([, amount]) => Quantity.parse(amount).value());
  const memoryLeft = left("memory", memoryBytes, evictedBelow(config, "memory.available", memoryBytes));
  return {
    capacity: {
      ...capacity,
      memory: bytes(memoryBytes),
      "ephemeral-storage": bytes(storageBytes),
    },
    allocatable: {
      ...capacity,
      cpu: Quantity.ofMilli(cpuMilliForPods(machine, config)).toString(),
      memory: bytes(
        Math.max(
          huge.reduce((rest, amount) => rest - amount, memoryLeft),
          0,
        ),
      ),
      "ephemeral-storage": bytes(
        left("ephemeral-storage", storageBytes, evictedBelow(config, "nodefs.available", storageBytes)),
      ),
    },
  };
}

/** As upstream's, which are of whole kibibytes. */
const wholeKi = ({ memoryBytes, storageBytes }: MachineSize) => ({
  memoryBytes: Math.floor(memoryBytes / 1_024) * 1_024,
  storageBytes: Math.floor(storageBytes / 1_024) * 1_024,
});

const bytes = (value: number) => Quantity.of(value, "binarySI").toString();

/** What is set aside for the system and for Kubernetes itself. */
export function reservedOf({ kubeReserved, systemReserved }: KubeletConfig, name: string): Quantity {
  const none = Quantity.of(0);
  return (kubeReserved[name] ?? none).add(systemReserved[name] ?? none);
}

export function cpuMilliForPods({ cpus }: Pick<MachineSize, "cpus">, config: KubeletConfig): number {
  return Math.max(cpus * 1_000 - reservedOf(config, "cpu").milliValue(), 0);
}

/** Where pods are evicted at once is not theirs to use. */
function evictedBelow(config: KubeletConfig, signal: string, capacity: number): number {
  const configured = config.mergeDefaultEvictionSettings
    ? { ...defaultConfig().evictionHard, ...config.evictionHard }
    : config.evictionHard;
  const value = configured[signal];
  return value ? thresholdAmount(value, capacity) : 0;
}

/** Why the machine is too small for what is set aside. */
export function reservationProblems(machine: MachineSize, config: KubeletConfig): string[] {
  const has: Readonly<Record<string, Quantity>> = {
    cpu: Quantity.ofMilli(machine.cpus * 1_000),
    memory: Quantity.of(machine.memoryBytes, "binarySI"),
    "ephemeral-storage": Quantity.of(machine.storageBytes, "binarySI"),
  };
  return Object.entries(has)
    .filter(([name, amount]) => reservedOf(config, name).compare(amount) > 0)
    .map(
      ([name, amount]) =>
        `Resource "${name}" has a reservation of ${reservedOf(config, name)} but capacity of ${amount}. Expected capacity >= reservation.`,
    );
}
