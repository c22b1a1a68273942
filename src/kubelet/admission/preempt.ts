import { type corev1, isMirrorPod, isStaticPod, qosClassOf } from "../../api/index.ts";
import { admitButResources, type Lack, lacks, requestOf } from "./admit.ts";

/** As upstream's SystemCriticalPriority: that of `system-cluster-critical`. */
const criticalPriorityMin = 2_000_000_000;

/** Whether the node's own working depends on the pod, or the cluster's. */
export const isCritical = (pod: corev1.Pod): boolean =>
  isStaticPod(pod) || isMirrorPod(pod) || (pod.spec!.priority ?? 0) >= criticalPriorityMin;

const isPreemptable = (by: corev1.Pod, pod: corev1.Pod): boolean =>
  (isCritical(by) && !isCritical(pod)) ||
  (by.spec!.priority !== undefined &&
    pod.spec!.priority !== undefined &&
    by.spec!.priority > pod.spec!.priority);

interface Requirement {
  name: string;
  amount: number;
}

/**
 * The pods that have to go so that a critical one fits: as few and as small as may be, those of better quality of service
 * last. Undefined when it is not critical, when something else than resources keeps it off the node, or when no pods'
 * going would do. Pure. As `pkg/kubelet/preemption`.
 */
export function podsToPreempt(
  pod: corev1.Pod,
  others: readonly corev1.Pod[],
  node: corev1.Node,
): corev1.Pod[] | undefined {
  if (!isCritical(pod) || admitButResources(pod, others, node)) return undefined;
  const required = lacks(pod, others, node).map(
    ({ name, requested, inUse, has }: Lack): Requirement => ({ name, amount: requested - (has - inUse) }),
  );
  const candidates = others.filter((other) => isPreemptable(pod, other));
  const ofClass = (name: string) => candidates.filter((other) => qosClassOf(other) === name);
  const [best, burstable, guaranteed] = ["BestEffort", "Burstable", "Guaranteed"].map(ofClass) as [
    corev1.Pod[],
    corev1.Pod[],
    corev1.Pod[],
  ];
  if (without(required, candidates).length > 0) return undefined;
  // Of the better classes only what all of the lesser ones do not free.
  const third = nearest(guaranteed, without(required, [...best, ...burstable]));
  const second = nearest(burstable, without(required, [...best, ...third]));
  const first = nearest(best, without(required, [...second, ...third]));
  return [...first, ...second, ...third];
}

/** What is still required when these pods are gone. */
const without = (required: readonly Requirement[], pods: readonly corev1.Pod[]): Requirement[] =>
  required
    .map(({ name, amount }) => ({
      name,
      amount: amount - pods.reduce((sum, pod) => sum + requestOf(pod, name), 0),
    }))
    .filter(({ amount }) => amount > 0);

/** Again and again the pod that leaves least to be freed, the smaller of two that leave the same. */
function nearest(pods: readonly corev1.Pod[], required: readonly Requirement[]): corev1.Pod[] {
  const left = [...pods];
  const chosen: corev1.Pod[] = [];
  for (let rest = [...required]; rest.length > 0 && left.length > 0; ) {
    left.sort((a, b) => distance(a, rest) - distance(b, rest) || size(a) - size(b));
    const pod = left.shift()!;
    chosen.push(pod);
    rest = without(rest, [pod]);
  }
  return chosen;
}

const distance = (pod: corev1.Pod, required: readonly Requirement[]): number =>
  required.reduce(
    (sum, { name, amount }) => sum + (Math.max(amount - requestOf(pod, name), 0) / amount) ** 2,
    0,
  );

/** Memory before cpu. */
const size = (pod: corev1.Pod): number => requestOf(pod, "memory") + requestOf(pod, "cpu") / 1e6;
