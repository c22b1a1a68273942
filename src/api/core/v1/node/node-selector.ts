import type { corev1 } from "../../../types/index.ts";

/*
 * Which nodes a selector picks. Counterpart upstream: `component-helpers/scheduling/corev1/nodeaffinity`; the scheduler
 * and the kubelet decide alike.
 */

/** Whether a node has what a pod's `nodeSelector` and the required part of its node affinity ask for. */
export function matchesRequiredNode(pod: corev1.Pod, node: corev1.Node): boolean {
  const labels = node.metadata.labels ?? {};
  const spec = pod.spec!;
  for (const [key, value] of Object.entries(spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  // Terms are alternatives; a selector without terms matches nothing.
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesNodeTerm(term, node));
}

/** Every expression and field of a term must hold; an empty term matches nothing. */
export function matchesNodeTerm(term: corev1.NodeSelectorTerm, node: corev1.Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((e) => matches(e, labels[e.key])) &&
    // The only field there is.
    fields.every((f) => f.key === "metadata.name" && matches(f, node.metadata.name))
  );
}

function matches(requirement: corev1.NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      const [have, limit] = [integerOf(value), integerOf(values[0])];
      // What is no number is neither more nor less; validation lets it pass.
      if (have === undefined || limit === undefined) return false;
      return requirement.operator === "Gt" ? have > limit : have < limit;
    }
    default:
      return false;
  }
}

const int64Max = 2n ** 63n - 1n;

/** As Go's `ParseInt`: of 64 bits. */
function integerOf(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace("+", ""));
  return value > int64Max || value < -int64Max - 1n ? undefined : value;
}
