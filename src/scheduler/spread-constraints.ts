import { type corev1, matchesRequiredNode, tolerates } from "../api/index.ts";
import { type LabelSelector, type Selector, selectorOf } from "../machinery/index.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { PendingPod } from "./filter/filter.ts";
import { countPods, type NodeInfo, type ScheduledPod } from "./node-info.ts";

/** A constraint of `topologySpreadConstraints`, ready to be counted with. */
export interface SpreadConstraint {
  topologyKey: string;
  maxSkew: number;
  minDomains: number;
  selector: Selector;
  /** How many of a node's pods it counts: those of the pod's namespace that are to stay. */
  countOn(info: NodeInfo): number;
  countsNode(node: corev1.Node): boolean;
}

type When = "DoNotSchedule" | "ScheduleAnyway";

/** As upstream's system defaults: only preferences, over nodes and zones. */
const defaults: readonly Pick<corev1.TopologySpreadConstraint, "topologyKey" | "maxSkew">[] = [
  { topologyKey: "kubernetes.io/hostname", maxSkew: 3 },
  { topologyKey: "topology.kubernetes.io/zone", maxSkew: 5 },
];

/** What a pod says itself. */
export function ownConstraints({ pod }: PendingPod, when: When): SpreadConstraint[] {
  return (pod.spec!.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === when)
    .map((constraint) => parsed(constraint, pod));
}

/** What goes for a pod that says nothing, but has equals: pods of the same controller. */
export function defaultConstraints({ pod }: PendingPod, view: ClusterView): SpreadConstraint[] {
  if ((pod.spec!.topologySpreadConstraints ?? []).length > 0) return [];
  const selector = view.equalsOf(pod);
  if (!selector || selector.empty) return [];
  return defaults.map(({ topologyKey, maxSkew }) => ({
    topologyKey,
    maxSkew,
    minDomains: 1,
    selector,
    countOn: counter(selector, pod.metadata.namespace!),
    countsNode: (node) => matchesRequiredNode(pod, node),
  }));
}

function parsed(constraint: corev1.TopologySpreadConstraint, pod: corev1.Pod): SpreadConstraint {
  const { topologyKey, maxSkew, minDomains = 1, nodeAffinityPolicy, nodeTaintsPolicy } = constraint;
  const selector = selectorOf(withLabelKeys(constraint, pod));
  return {
    topologyKey,
    maxSkew,
    minDomains,
    selector,
    countOn: counter(selector, pod.metadata.namespace!),
    countsNode: (node) =>
      ((nodeAffinityPolicy ?? "Honor") === "Ignore" || matchesRequiredNode(pod, node)) &&
      ((nodeTaintsPolicy ?? "Ignore") === "Ignore" || toleratesAll(pod, node)),
  };
}

/** The server has merged them into the selector of pods made here; those from elsewhere may come without. */
function withLabelKeys(
  { labelSelector, matchLabelKeys = [] }: corev1.TopologySpreadConstraint,
  { metadata }: corev1.Pod,
): LabelSelector | undefined {
  const labels = metadata.labels ?? {};
  const selector = labelSelector as LabelSelector | undefined;
  const keys = matchLabelKeys.filter((key) => Object.hasOwn(labels, key));
  if (keys.length === 0 || !selector) return selector;
  const own = Object.fromEntries(keys.map((key) => [key, labels[key]!]));
  return { ...selector, matchLabels: { ...selector.matchLabels, ...own } };
}

const toleratesAll = (pod: corev1.Pod, { spec }: corev1.Node): boolean =>
  (spec?.taints ?? []).every(
    (taint) => taint.effect === "PreferNoSchedule" || tolerates(pod.spec!.tolerations, taint),
  );

function counter(selector: Selector, namespace: string): SpreadConstraint["countOn"] {
  const kind = `spread ${namespace} ${selector}`;
  const isOfKind = ({ pod, namespace: other, labels }: ScheduledPod) =>
    other === namespace && !pod.metadata.deletionTimestamp && selector.matches(labels);
  return (info) => countPods(info, kind, isOfKind);
}

export const hasAllKeys = (constraints: readonly SpreadConstraint[], { metadata }: corev1.Node): boolean =>
  constraints.every(({ topologyKey }) => Object.hasOwn(metadata.labels ?? {}, topologyKey));
