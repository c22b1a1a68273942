import {
  type corev1,
  hostPortsCollide,
  hostPortsOf,
  matchesRequiredNode,
  podRequestAmounts,
  tolerates,
} from "../../api/index.ts";
import { parseQuantity, type Quantity } from "../../machinery/index.ts";

/** Why a node refuses a pod. */
export interface Refusal {
  reason: string;
  message: string;
}

/**
 * Whether a pod fits beside the others on this node; checked by the agent too, since who bound the pod may have been
 * mistaken. Pure. As `pkg/kubelet/lifecycle/predicate.go`.
 */
export function admit(
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): Refusal | undefined {
  return refusedOs(pod) ?? refusedResources(pod, others, node) ?? refusedPredicate(pod, others, node);
}

/** The same, but for resources that may be made free. */
export const admitButResources = (
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): Refusal | undefined => refusedOs(pod) ?? refusedPredicate(pod, others, node);

function refusedOs({ metadata, spec }: corev1.Pod): Refusal | undefined {
  const osLabel = metadata.labels?.["kubernetes.io/os"];
  if (osLabel !== undefined && osLabel !== "linux") {
    return {
      reason: "PodOSSelectorNodeLabelDoesNotMatch",
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  if (spec!.os && spec!.os.name !== "linux") {
    return {
      reason: "PodOSNotSupported",
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  }
  return undefined;
}

function refusedPredicate(
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): Refusal | undefined {
  const { spec } = pod;
  const predicate = (name: string, why: string) => ({
    reason: name,
    message: `Predicate ${name} failed: ${why}`,
  });
  if (!matchesRequiredNode(pod, node))
    return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  if (spec!.nodeName !== undefined && spec!.nodeName !== node.metadata.name) {
    return predicate("NodeName", "node(s) didn't match the requested node name");
  }
  if (!portsAreFree(pod, others)) {
    return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports");
  }
  if (!toleratesNode(pod, node)) {
    return predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate");
  }
  return undefined;
}

/** As upstream counts: thousandths of cpu, whole units of all else. */
const countOf = (name: string, quantity: Quantity | undefined): number =>
  quantity === undefined ? 0 : name === "cpu" ? quantity.milliValue() : quantity.value();

/** What a pod asks for of any resource; of `pods`, one. */
function requestsOf(pod: corev1.Pod): (name: string) => number {
  const amounts = podRequestAmounts(pod.spec!);
  return (name) => (name === "pods" ? 1 : countOf(name, amounts[name]));
}

/** Of one resource. */
export const requestOf = (pod: corev1.Pod, name: string): number => requestsOf(pod)(name);

/** A resource of which a node has not enough left for a pod. */
export interface Lack {
  name: string;
  requested: number;
  inUse: number;
  has: number;
}

/** All that a pod lacks beside the others. */
export function lacks(pod: corev1.Pod, others: readonly corev1.Pod[], node: corev1.Node): Lack[] {
  const capacity = node.status?.allocatable ?? {};
  const found: Lack[] = [];
  const own = requestsOf(pod);
  const requests = others.map(requestsOf);
  for (const name of new Set(["pods", ...Object.keys(podRequestAmounts(pod.spec!))])) {
    const requested = own(name);
    const all = capacity[name];
    // As upstream: what the node knows nothing of is a matter of the cluster, not of the node.
    if (requested === 0 || all === undefined) continue;
    const has = countOf(name, parseQuantity(String(all)));
    const inUse = requests.reduce((sum, requestsOfOther) => sum + requestsOfOther(name), 0);
    if (requested > has - inUse) found.push({ name, requested, inUse, has });
  }
  return found;
}

function refusedResources(
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): Refusal | undefined {
  const [lack] = lacks(pod, others, node);
  if (!lack) return undefined;
  const { name, requested, inUse, has } = lack;
  return {
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${inUse}, capacity: ${has}`,
  };
}

function portsAreFree(pod: corev1.Pod, others: readonly corev1.Pod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return true;
  const taken = others.flatMap(hostPortsOf);
  return !wanted.some((want) => taken.some((has) => hostPortsCollide(has, want)));
}

/** Only NoExecute: a pod that is bound has been scheduled past the rest. */
const toleratesNode = ({ spec }: corev1.Pod, node: corev1.Node): boolean =>
  (node.spec?.taints ?? []).every(
    (taint) => taint.effect !== "NoExecute" || tolerates(spec!.tolerations, taint),
  );
