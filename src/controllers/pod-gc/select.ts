import { type corev1, isConditionTrue, isPodTerminal } from "../../api/index.ts";

const outOfService = "node.kubernetes.io/out-of-service";

/** What is known when pods are collected. */
export interface Known {
  pods: readonly corev1.Pod[];
  /** Undefined for a node that is not there. */
  node(name: string): corev1.Node | undefined;
  /** Nodes that have been missing for long enough to be gone for good. */
  isGone(node: string): boolean;
  endedMax: number;
}

/** Why pods are deleted that nobody else would delete. */
export interface Collected {
  /** Ended ones above what is kept: those that were evicted first, then the oldest. */
  ended: readonly corev1.Pod[];
  /** On a node that somebody has declared out of service. */
  outOfService: readonly corev1.Pod[];
  /** On a node that does not exist. */
  orphaned: readonly corev1.Pod[];
  /** Deleted before they had a node. */
  unscheduled: readonly corev1.Pod[];
}

/** Pure. Counterpart upstream: the passes of `pkg/controller/podgc`. */
export function collect({ pods, node, isGone, endedMax }: Known): Collected {
  const ended = pods.filter(isPodTerminal);
  const surplus = ended.length - endedMax;
  return {
    ended: surplus > 0 && endedMax > 0 ? [...ended].sort(byClaim).slice(0, surplus) : [],
    outOfService: pods.filter((pod) => isTerminatingOutOfService(pod, node)),
    orphaned: pods.filter(({ spec }) => spec!.nodeName && isGone(spec!.nodeName)),
    unscheduled: pods.filter(({ metadata, spec }) => metadata.deletionTimestamp && !spec!.nodeName),
  };
}

function isTerminatingOutOfService({ metadata, spec }: corev1.Pod, nodeOf: Known["node"]): boolean {
  if (!metadata.deletionTimestamp || !spec!.nodeName) return false;
  const node = nodeOf(spec!.nodeName);
  return (
    node !== undefined &&
    !isConditionTrue(node.status?.conditions, "Ready") &&
    (node.spec?.taints ?? []).some(({ key }) => key === outOfService)
  );
}

function byClaim(a: corev1.Pod, b: corev1.Pod): number {
  const evicted = (pod: corev1.Pod) =>
    pod.status?.phase === "Failed" && pod.status.reason === "Evicted" ? 0 : 1;
  const madeMs = ({ metadata }: corev1.Pod) => Date.parse(metadata.creationTimestamp!);
  return evicted(a) - evicted(b) || madeMs(a) - madeMs(b) || (a.metadata.name! < b.metadata.name! ? -1 : 1);
}
