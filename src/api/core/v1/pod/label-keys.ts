import type { corev1, metav1 } from "../../../index.ts";

interface Selecting {
  labelSelector?: metav1.LabelSelector;
  matchLabelKeys?: string[];
  mismatchLabelKeys?: string[];
}

/**
 * Turns `matchLabelKeys` and `mismatchLabelKeys` of affinities and spread constraints into requirements on the pod's own
 * labels, once, when it is made. As `mutatePodAffinity` and `mutateTopologySpreadConstraints`.
 */
export function applyLabelKeys({ metadata, spec }: corev1.Pod): void {
  const { affinity, topologySpreadConstraints } = spec!;
  const labels = metadata?.labels ?? {};
  for (const constraint of topologySpreadConstraints ?? []) apply(constraint, labels);
  for (const rules of [affinity?.podAffinity, affinity?.podAntiAffinity]) {
    for (const term of rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []) apply(term, labels);
    for (const { podAffinityTerm } of rules?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      apply(podAffinityTerm, labels);
  }
}

function apply(selecting: Selecting, labels: Readonly<Record<string, string>>): void {
  const { labelSelector } = selecting;
  if (!labelSelector) return;
  const require = (keys: readonly string[] | undefined, operator: "In" | "NotIn") => {
    for (const key of keys ?? []) {
      if (!Object.hasOwn(labels, key)) continue;
      labelSelector.matchExpressions ??= [];
      labelSelector.matchExpressions.push({ key, operator, values: [labels[key]!] });
    }
  };
  require(selecting.matchLabelKeys, "In");
  require(selecting.mismatchLabelKeys, "NotIn");
}
