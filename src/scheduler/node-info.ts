import { type corev1, type HostPort, hostPortsOf, podRequestAmounts } from "../api/index.ts";
import { parseQuantity, type Quantity } from "../machinery/index.ts";

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

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map();
  for (const [name, text] of Object.entries(list ?? {})) {
    amounts.set(name, amountOf(name, parseQuantity(text)));
  }
  return amounts;
}

const amountOf = (name: string, quantity: Quantity): number =>
  name === "cpu" ? quantity.milliValue() : quantity.value();

/** What a pod asks for, worked out once for each pod. */
export function requestsOf(pod: corev1.Pod): Amounts {
  const requests = Object.entries(podRequestAmounts(pod.spec!));
  return new Map(requests.map(([name, quantity]) => [name, amountOf(name, quantity)]));
}

export function scheduledPodOf(pod: corev1.Pod): ScheduledPod {
  return {
    key: `${pod.metadata.namespace}/${pod.metadata.name}`,
    requests: requestsOf(pod),
    hostPorts: hostPortsOf(pod),
    labels: pod.metadata.labels ?? {},
  };
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
