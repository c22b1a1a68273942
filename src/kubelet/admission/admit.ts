import {
  type corev1,
  hostPortsCollide,
  hostPortsOf,
  matchesRequiredNode,
  podRequestAmounts,
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
  const { spec } = pod;
  const osLabel = pod.metadata.labels?.["kubernetes.io/os"];
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
  const lacking = resourceLack(pod, others, node);
  if (lacking) return lacking;
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

function resourceLack(
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): Refusal | undefined {
  const capacity = node.status?.allocatable ?? {};
  const used = new Map<string, number>();
  for (const other of others) {
    for (const [name, quantity] of Object.entries(podRequestAmounts(other.spec!))) {
      used.set(name, (used.get(name) ?? 0) + countOf(name, quantity));
    }
  }
  const short = (name: string, requested: number, inUse: number, has: number): Refusal => ({
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${inUse}, capacity: ${has}`,
  });
  const podsMax = Number(capacity.pods ?? Number.POSITIVE_INFINITY);
  if (others.length + 1 > podsMax) return short("pods", 1, others.length, podsMax);
  for (const [name, quantity] of Object.entries(podRequestAmounts(pod.spec!))) {
    const requested = countOf(name, quantity);
    const all = capacity[name];
    // As upstream: what the node knows nothing of is a matter of the cluster, not of the node.
    if (requested === 0 || all === undefined) continue;
    const has = countOf(name, parseQuantity(String(all)));
    const inUse = used.get(name) ?? 0;
    if (requested > has - inUse) return short(name, requested, inUse, has);
  }
  return undefined;
}

function portsAreFree(pod: corev1.Pod, others: readonly corev1.Pod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return true;
  const taken = others.flatMap(hostPortsOf);
  return !wanted.some((want) => taken.some((has) => hostPortsCollide(has, want)));
}

/** Only NoExecute: a pod that is bound has been scheduled past the rest. */
function toleratesNode(pod: corev1.Pod, node: corev1.Node): boolean {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect === "NoExecute");
  return taints.every((taint) =>
    (pod.spec!.tolerations ?? []).some(
      ({ key, operator, value, effect }) =>
        (!effect || effect === taint.effect) &&
        (!key ? operator === "Exists" : key === taint.key) &&
        (operator === "Exists" || (value ?? "") === (taint.value ?? "")),
    ),
  );
}
