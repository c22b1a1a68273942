import { type corev1, podRequests } from "../api/index.ts";
import { parseQuantity } from "../machinery/index.ts";

/** Amounts by resource name: `cpu` in millicores, everything else in its own unit (bytes, devices). */
export type Amounts = Map<string, number>;

/** What a node has, and what the pods on it take. Counterpart upstream: `framework.NodeInfo`. */
export interface NodeInfo {
  node: corev1.Node;
  allocatable: Amounts;
  requested: Amounts;
  pods: Map<string, ScheduledPod>;
}

/** The part of a pod on a node that matters to others. */
export interface ScheduledPod {
  key: string;
  requests: Amounts;
  hostPorts: readonly HostPort[];
  labels: Readonly<Record<string, string>>;
}

export interface HostPort {
  ip: string;
  protocol: string;
  port: number;
}

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(list ?? {})) {
    const quantity = parseQuantity(text);
    amounts.set(name, Number(name === "cpu" ? quantity.milliValue() : quantity.value()));
  }
  return amounts;
}

export function scheduledPodOf(pod: corev1.Pod): ScheduledPod {
  return {
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    requests: amountsOf(podRequests(pod.spec!)),
    hostPorts: hostPortsOf(pod),
    labels: pod.metadata.labels ?? {},
  };
}

export function hostPortsOf(pod: corev1.Pod): HostPort[] {
  const spec = pod.spec!;
  const longRunning = [
    ...spec.containers,
    ...(spec.initContainers ?? []).filter((c) => c.restartPolicy === "Always"),
  ];
  return longRunning.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        ip: port.hostIP || "0.0.0.0",
        protocol: port.protocol ?? "TCP",
        port: port.hostPort!,
      })),
  );
}

export function newNodeInfo(node: corev1.Node): NodeInfo {
  return { node, allocatable: amountsOf(node.status?.allocatable), requested: new Map(), pods: new Map() };
}

export function addPod(info: NodeInfo, pod: ScheduledPod): void {
  removePod(info, pod.key);
  info.pods.set(pod.key, pod);
  for (const [name, amount] of pod.requests)
    info.requested.set(name, (info.requested.get(name) ?? 0) + amount);
}

export function removePod(info: NodeInfo, key: string): void {
  const pod = info.pods.get(key);
  if (!pod) return;
  info.pods.delete(key);
  for (const [name, amount] of pod.requests)
    info.requested.set(name, (info.requested.get(name) ?? 0) - amount);
}
