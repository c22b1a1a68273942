import { fieldInvalid } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { type FieldErrors, semanticallyEqual } from "../../../../validation/values.ts";

const required = "requiredDuringSchedulingIgnoredDuringExecution";

/**
 * A pod that still waits at a scheduling gate may be tied to fewer nodes, never to others. What is fine is put back to
 * the old value in `spec`, so that the comparison of all other fields passes over it.
 */
export function validateGatedChanges(errors: FieldErrors, spec: corev1.PodSpec, old: corev1.PodSpec): void {
  if (!semanticallyEqual(spec.nodeSelector, old.nodeSelector)) {
    const isKept = Object.entries(old.nodeSelector ?? {}).every(
      ([key, value]) => spec.nodeSelector?.[key] === value,
    );
    if (!isKept)
      errors.push(
        fieldInvalid(
          "spec.nodeSelector",
          spec.nodeSelector ?? {},
          "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
        ),
      );
    spec.nodeSelector = old.nodeSelector;
  }
  const nodeAffinity = spec.affinity?.nodeAffinity;
  const oldNodeAffinity = old.affinity?.nodeAffinity;
  if (semanticallyEqual(nodeAffinity, oldNodeAffinity)) return;
  validateNodeAffinityChange(errors, nodeAffinity, oldNodeAffinity, "spec.affinity.nodeAffinity");
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  spec.affinity =
    !old.affinity && !podAffinity && !podAntiAffinity
      ? undefined
      : { ...spec.affinity, nodeAffinity: oldNodeAffinity };
}

function validateNodeAffinityChange(
  errors: FieldErrors,
  affinity: corev1.NodeAffinity | undefined,
  old: corev1.NodeAffinity | undefined,
  path: string,
): void {
  const oldTerms = old?.[required]?.nodeSelectorTerms ?? [];
  const terms = affinity?.[required]?.nodeSelectorTerms ?? [];
  if (oldTerms.length === 0) return;
  const at = `${path}.${required}.nodeSelectorTerms`;
  if (terms.length !== oldTerms.length) {
    errors.push(
      fieldInvalid(at, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed"),
    );
    return;
  }
  oldTerms.forEach((oldTerm, i) => {
    if (!hasOnlyAdditions(terms[i]!, oldTerm))
      errors.push(
        fieldInvalid(`${at}[${i}]`, terms[i], "only additions are allowed (no mutations or deletions)"),
      );
  });
}

function hasOnlyAdditions(term: corev1.NodeSelectorTerm, old: corev1.NodeSelectorTerm): boolean {
  const fields = ["matchExpressions", "matchFields"] as const;
  // A term without requirements matches no node; one with some would.
  if (fields.every((field) => !old[field]?.length)) return fields.every((field) => !term[field]?.length);
  return fields.every((field) => {
    const before = old[field] ?? [];
    return semanticallyEqual((term[field] ?? []).slice(0, before.length), before);
  });
}
