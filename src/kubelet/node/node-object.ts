import type { corev1 } from "../../api/index.ts";
import { canonicalQuantity, formatTime } from "../../machinery/index.ts";
import type { HostInfo, HostPressure } from "./host-info.ts";

/** The Kubernetes version this agent behaves as. */
export const kubeletVersion = "v1.36.0";
export const notReadyTaint = "node.kubernetes.io/not-ready";

/** As kubelet's defaults. */
export const podsMaxDefault = 110;
const memoryReservedBytes = 100 * 2 ** 20;
const storageReservedFraction = 0.1;
const memoryPressureBytes = 100 * 2 ** 20;
/** Upstream's 10 %, but no more than this: a tenth of a large disk is not a shortage. */
const storagePressureBytesMax = 2 ** 30;
const pidsPressure = 100;

export interface NodeIdentity {
  name: string;
  /** Primary first. */
  ips: readonly string[];
  podCidrs: readonly string[];
  labels: Readonly<Record<string, string>>;
  taints: readonly corev1.Taint[];
  podsMax: number;
  runtimeVersion: string;
}

export interface NodeHealth {
  pressure: HostPressure;
  runtime: { ready: boolean; message: string };
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

const ki = (bytes: number) => canonicalQuantity(`${Math.floor(bytes / 1_024)}Ki`);

/** Everything of a node's status but images; times of transition are kept from `before`. */
export function nodeStatus(
  identity: NodeIdentity,
  host: HostInfo,
  health: NodeHealth,
  before: corev1.NodeStatus | undefined,
  nowMs: number,
): corev1.NodeStatus {
  const fixed = {
    cpu: String(host.cpus),
    pods: String(identity.podsMax),
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
  };
  return {
    capacity: {
      ...fixed,
      ...host.hugepages,
      memory: ki(host.memoryBytes),
      "ephemeral-storage": ki(host.storageBytes),
    },
    allocatable: {
      ...fixed,
      ...host.hugepages,
      memory: ki(Math.max(host.memoryBytes - memoryReservedBytes, 0)),
      "ephemeral-storage": canonicalQuantity(
        String(Math.floor(host.storageBytes * (1 - storageReservedFraction))),
      ),
    },
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
    features: { supplementalGroupsPolicy: true },
  };
}

function nodeConditions(
  { pressure, runtime }: NodeHealth,
  before: corev1.NodeStatus | undefined,
  nowMs: number,
): corev1.NodeCondition[] {
  const storageThreshold = Math.min(pressure.storageBytes * 0.1, storagePressureBytesMax);
  const each: Omit<corev1.NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">[] = [
    pressure.memoryAvailableBytes < memoryPressureBytes
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
    pressure.storageAvailableBytes < storageThreshold
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
    pressure.pidsAvailable < pidsPressure
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
    runtime.ready
      ? { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" }
      : {
          type: "Ready",
          status: "False",
          reason: "KubeletNotReady",
          message: `container runtime is down: ${runtime.message}`,
        },
  ];
  const now = formatTime(nowMs);
  return each.map((condition) => {
    const old = before?.conditions?.find(({ type }) => type === condition.type);
    const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
}
