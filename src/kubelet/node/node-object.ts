import { type corev1, isHugePages } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import type { PressureCondition } from "../eviction/signals.ts";
import type { NodeResources } from "./capacity.ts";
import type { HostInfo } from "./host-info.ts";

/** The Kubernetes version this agent behaves as. */
export const kubeletVersion = "v1.36.0";

export interface NodeIdentity {
  name: string;
  /** Primary first. */
  ips: readonly string[];
  podCidrs: readonly string[];
  labels: Readonly<Record<string, string>>;
  taints: readonly corev1.Taint[];
  /** What the machine has, and what of it is for pods. */
  resources: NodeResources;
  runtimeVersion: string;
  runtimeHandlers: readonly corev1.NodeRuntimeHandler[];
}

export interface NodeHealth {
  pressure: readonly PressureCondition[];
  runtime: { ready: boolean; message: string };
  /** Why the agent itself takes no pods. */
  unready?: string;
}

/** What the agent registers. */
export function nodeObject(identity: NodeIdentity, host: HostInfo): corev1.Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: identity.name,
      labels: nodeLabels(identity, host),
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
    },
    spec: {
      ...(identity.podCidrs[0] && { podCIDR: identity.podCidrs[0], podCIDRs: [...identity.podCidrs] }),
      ...(identity.taints.length > 0 && { taints: [...identity.taints] }),
    },
  };
}

export function nodeLabels(
  { name, labels }: NodeIdentity,
  { architecture }: HostInfo,
): Record<string, string> {
  return {
    "beta.kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": architecture,
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    ...labels,
  };
}

/** Everything of a node's status but images; times of transition are kept from `before`. */
export function nodeStatus(
  identity: NodeIdentity,
  host: HostInfo,
  health: NodeHealth,
  before: corev1.NodeStatus | undefined,
  nowMs: number,
): corev1.NodeStatus {
  return {
    ...withOthersResources(identity.resources, before),
    addresses: [
      ...identity.ips.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: identity.name },
    ],
    conditions: nodeConditions(health, before, nowMs),
    daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
    nodeInfo: {
      machineID: host.machineId,
      systemUUID: host.systemUuid,
      bootID: host.bootId,
      kernelVersion: host.kernelVersion,
      osImage: host.osImage,
      containerRuntimeVersion: identity.runtimeVersion,
      kubeletVersion,
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: host.architecture,
    },
    ...(identity.runtimeHandlers.length > 0 && { runtimeHandlers: [...identity.runtimeHandlers] }),
    features: { supplementalGroupsPolicy: true },
  };
}

/**
 * Devices and the like that somebody else says the node has are for pods, all of them; huge pages are the node's own
 * matter. As `nodestatus.MachineInfo`.
 */
function withOthersResources(
  { capacity, allocatable }: NodeResources,
  before: corev1.NodeStatus | undefined,
): NodeResources {
  const others = Object.fromEntries(
    Object.entries(before?.capacity ?? {}).filter(([name]) => !isHugePages(name)),
  );
  return { capacity: { ...others, ...capacity }, allocatable: { ...others, ...allocatable } };
}

function nodeConditions(
  { pressure, runtime, unready }: NodeHealth,
  before: corev1.NodeStatus | undefined,
  nowMs: number,
): corev1.NodeCondition[] {
  const each: Omit<corev1.NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">[] = [
    pressure.includes("MemoryPressure")
      ? {
          type: "MemoryPressure",
          status: "True",
          reason: "KubeletHasInsufficientMemory",
          message: "kubelet has insufficient memory available",
        }
      : {
          type: "MemoryPressure",
          status: "False",
          reason: "KubeletHasSufficientMemory",
          message: "kubelet has sufficient memory available",
        },
    pressure.includes("DiskPressure")
      ? {
          type: "DiskPressure",
          status: "True",
          reason: "KubeletHasDiskPressure",
          message: "kubelet has disk pressure",
        }
      : {
          type: "DiskPressure",
          status: "False",
          reason: "KubeletHasNoDiskPressure",
          message: "kubelet has no disk pressure",
        },
    pressure.includes("PIDPressure")
      ? {
          type: "PIDPressure",
          status: "True",
          reason: "KubeletHasInsufficientPID",
          message: "kubelet has insufficient PID available",
        }
      : {
          type: "PIDPressure",
          status: "False",
          reason: "KubeletHasSufficientPID",
          message: "kubelet has sufficient PID available",
        },
    runtime.ready && unready === undefined
      ? { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
      : {
          type: "Ready",
          status: "False",
          reason: "KubeletNotReady",
          message: unready ?? `container runtime is down: ${runtime.message}`,
        },
  ];
  const now = formatTime(nowMs);
  return each.map((condition) => {
    const old = before?.conditions?.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
}
