import { type corev1, podRequestAmounts, qosClassOf } from "../../api/index.ts";
import type { LinuxResources } from "../../runtime/index.ts";
import type { KubeletConfig } from "../config/fields.ts";
import { cpuShares } from "../container/resources.ts";
import { cpuMilliForPods, type MachineSize, reservedOf } from "./capacity.ts";

/** No pod is given swap of its own; what the machine has of it is not what these limits are about. */
const noSwapLimitBytes = Number.MAX_SAFE_INTEGER;

export interface SharedLimit {
  cgroup: string;
  resources: LinuxResources;
}

/**
 * The limits of all pods together, and the weights of their classes. As `pkg/kubelet/cm`: enforceNodeAllocatableCgroups
 * and the QoS container manager.
 */
export function sharedLimits(
  machine: MachineSize & { pidsMax: number },
  config: KubeletConfig,
  pods: readonly corev1.Pod[],
): SharedLimit[] {
  const isEnforced = config.enforceNodeAllocatable.includes("pods");
  const burstable = pods.filter((pod) => qosClassOf(pod) === "Burstable");
  const askedMilli = burstable.reduce(
    (sum, { spec }) => sum + (podRequestAmounts(spec!)["cpu"]?.milliValue() ?? 0),
    0,
  );
  return [
    {
      cgroup: "kubepods",
      resources: {
        cpuShares: cpuShares(cpuMilliForPods(machine, config)),
        ...(isEnforced && {
          memoryLimitBytes: podsMemoryBytes(machine, config),
          memorySwapLimitBytes: noSwapLimitBytes,
          pidsMax: Math.max(machine.pidsMax - reservedOf(config, "pid").value(), 1),
        }),
      },
    },
    { cgroup: "kubepods/burstable", resources: { cpuShares: cpuShares(askedMilli) } },
    { cgroup: "kubepods/besteffort", resources: { cpuShares: cpuShares(0) } },
  ];
}

/** What all pods together may use. Eviction begins before it is used up. */
export const podsMemoryBytes = ({ memoryBytes }: Pick<MachineSize, "memoryBytes">, config: KubeletConfig) =>
  Math.max(memoryBytes - reservedOf(config, "memory").value(), 0);
