import type { corev1 } from "../api/index.ts";
import { type LabelSelector, type Selector, selectorOf } from "../machinery/index.ts";

export type Labels = Readonly<Record<string, string>>;
/** The labels of a namespace; undefined where it is not known (any more). */
export type NamespaceLabels = (namespace: string) => Labels | undefined;

/** Pods, and the topology in which they matter. */
export interface AffinityTerm {
  topologyKey: string;
  selector: Selector;
  namespaces: ReadonlySet<string>;
  namespaceSelector: Selector;
  /** Stands for what the term is about, where that does not depend on namespaces' labels. */
  kind?: string;
}

export interface WeightedTerm extends AffinityTerm {
  weight: number;
}

/** What a pod says about other pods, parsed once. Counterpart upstream: `framework.PodInfo`. */
export interface AffinityTerms {
  requiredAffinity: readonly AffinityTerm[];
  requiredAntiAffinity: readonly AffinityTerm[];
  preferredAffinity: readonly WeightedTerm[];
  preferredAntiAffinity: readonly WeightedTerm[];
}

/** What of a pod a term can be about. */
export interface Neighbour {
  namespace: string;
  labels: Labels;
}

const none: AffinityTerms = {
  requiredAffinity: [],
  requiredAntiAffinity: [],
  preferredAffinity: [],
  preferredAntiAffinity: [],
};

export function affinityTermsOf(pod: corev1.Pod): AffinityTerms {
  const { podAffinity, podAntiAffinity } = pod.spec!.affinity ?? {};
  if (!podAffinity && !podAntiAffinity) return none;
  const own = pod.metadata.namespace!;
  const required = (terms: readonly corev1.PodAffinityTerm[] | undefined) =>
    (terms ?? []).map((term) => parsed(term, own));
  const preferred = (terms: readonly corev1.WeightedPodAffinityTerm[] | undefined) =>
    (terms ?? []).map(({ weight, podAffinityTerm }) => ({ weight, ...parsed(podAffinityTerm, own) }));
  return {
    requiredAffinity: required(podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    requiredAntiAffinity: required(podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: preferred(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: preferred(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
  };
}

function parsed(term: corev1.PodAffinityTerm, own: string): AffinityTerm {
  const { namespaces = [], namespaceSelector, labelSelector, topologyKey } = term;
  const isOwnOnly = namespaces.length === 0 && namespaceSelector === undefined;
  const selector = selectorOf(labelSelector as LabelSelector | undefined);
  const named = isOwnOnly ? [own] : namespaces;
  return {
    topologyKey,
    selector,
    namespaces: new Set(named),
    ...(namespaceSelector === undefined && labelSelector && { kind: `near ${named} ${selector}` }),
    // One that is absent matches nothing.
    namespaceSelector: selectorOf(namespaceSelector as LabelSelector | undefined),
  };
}

export const saysSomething = (terms: AffinityTerms): boolean => terms !== none;

/** Whether a term is about a pod. */
export function isAbout(term: AffinityTerm, pod: Neighbour, namespaceLabels: NamespaceLabels): boolean {
  if (!term.selector.matches(pod.labels)) return false;
  if (term.namespaces.has(pod.namespace)) return true;
  const labels = namespaceLabels(pod.namespace);
  return labels !== undefined && term.namespaceSelector.matches(labels);
}
