import { type corev1, qosClassOf } from "../../api/index.ts";

export type ScopeSelector = corev1.ScopedResourceSelectorRequirement;

/** All conditions that a quota has on what it counts. */
export const selectorsOf = ({ scopes = [], scopeSelector }: corev1.ResourceQuotaSpec): ScopeSelector[] => [
  ...scopes.map((scopeName): ScopeSelector => ({ scopeName, operator: "Exists" })),
  ...(scopeSelector?.matchExpressions ?? []),
];

/** As `podMatchesScopeFunc`. */
export function podInScope(selector: ScopeSelector, pod: corev1.Pod): boolean {
  const { spec } = pod;
  switch (selector.scopeName) {
    case "Terminating":
      return hasDeadline(pod);
    case "NotTerminating":
      return !hasDeadline(pod);
    case "BestEffort":
      return qosClassOf(pod) === "BestEffort";
    case "NotBestEffort":
      return qosClassOf(pod) !== "BestEffort";
    case "PriorityClass":
      return isSelected(selector, spec!.priorityClassName ? [spec!.priorityClassName] : []);
    case "CrossNamespacePodAffinity":
      return reachesOut(spec!);
    default:
      return false;
  }
}

/** As `pvcMatchesScopeFunc`. */
export function claimInScope(selector: ScopeSelector, claim: corev1.PersistentVolumeClaim): boolean {
  if (selector.scopeName !== "VolumeAttributesClass") return false;
  const names = [
    claim.spec?.volumeAttributesClassName,
    claim.status?.currentVolumeAttributesClassName,
    claim.status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return isSelected(selector, [
    ...new Set(names.filter((name) => name !== undefined && name !== "")),
  ] as string[]);
}

export const hasDeadline = ({ spec }: corev1.Pod): boolean => (spec!.activeDeadlineSeconds ?? -1) >= 0;

/** Whether any of the names is selected; without one, only what wants no name selects. */
function isSelected({ operator, values = [] }: ScopeSelector, names: readonly string[]): boolean {
  switch (operator) {
    case "Exists":
      return names.length > 0;
    case "DoesNotExist":
      return names.length === 0;
    case "In":
      return names.some((name) => values.includes(name));
    default:
      return names.length === 0 || names.some((name) => !values.includes(name));
  }
}

function reachesOut({ affinity }: corev1.PodSpec): boolean {
  const reaches = ({ namespaces = [], namespaceSelector }: corev1.PodAffinityTerm) =>
    namespaces.length > 0 || namespaceSelector !== undefined;
  return [affinity?.podAffinity, affinity?.podAntiAffinity].some(
    (rules) =>
      (rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some(reaches) ||
      (rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).some(({ podAffinityTerm }) =>
        reaches(podAffinityTerm),
      ),
  );
}
