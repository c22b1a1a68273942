import {
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  isDnsLabel,
  isDnsSubdomain,
  isLabelValue,
  type LabelSelector,
  validateOperator,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateLabelKey, validateLabelSelector } from "../../../../validation/labels.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";

const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";

export function validateAffinity(
  errors: FieldErrors,
  affinity: corev1.Affinity | undefined,
  path: string,
): void {
  if (!affinity) return;
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity;
  if (nodeAffinity) validateNodeAffinity(errors, nodeAffinity, `${path}.nodeAffinity`);
  if (podAffinity) validatePodAffinity(errors, podAffinity, `${path}.podAffinity`);
  if (podAntiAffinity) validatePodAffinity(errors, podAntiAffinity, `${path}.podAntiAffinity`);
}

function validateNodeAffinity(errors: FieldErrors, affinity: corev1.NodeAffinity, path: string): void {
  const selector = affinity[required];
  if (selector) validateNodeSelector(errors, selector, `${path}.${required}`);
  affinity[preferred]?.forEach(({ weight, preference }, i) => {
    const at = `${path}.${preferred}[${i}]`;
    validateWeight(errors, weight, `${at}.weight`);
    // A value that no label can have is a wish that is never met, not an error.
    if (preference) validateNodeSelectorTerm(errors, preference, "anyValue", `${at}.preference`);
  });
}

/** Alternatives, of which there must be one. */
export function validateNodeSelector(errors: FieldErrors, selector: corev1.NodeSelector, path: string): void {
  const at = `${path}.nodeSelectorTerms`;
  if (!selector.nodeSelectorTerms?.length)
    errors.push(fieldRequired(at, "must have at least one node selector term"));
  selector.nodeSelectorTerms?.forEach((term, i) => {
    validateNodeSelectorTerm(errors, term, "strict", `${at}[${i}]`);
  });
}

function validateWeight(errors: FieldErrors, weight: number | undefined, path: string): void {
  if (!weight || weight < 0 || weight > 100)
    errors.push(fieldInvalid(path, weight ?? 0, "must be in the range 1-100"));
}

function validateNodeSelectorTerm(
  errors: FieldErrors,
  { matchExpressions, matchFields }: corev1.NodeSelectorTerm,
  values: "strict" | "anyValue",
  path: string,
): void {
  matchExpressions?.forEach((requirement, i) => {
    validateNodeRequirement(errors, requirement, values, `${path}.matchExpressions[${i}]`);
  });
  matchFields?.forEach((requirement, i) => {
    validateNodeField(errors, requirement, `${path}.matchFields[${i}]`);
  });
}

function validateNodeRequirement(
  errors: FieldErrors,
  { key = "", operator, values = [] }: corev1.NodeSelectorRequirement,
  valueRule: "strict" | "anyValue",
  path: string,
): void {
  if (operator !== "Gt" && operator !== "Lt") errors.push(...validateOperator(operator, values, path));
  else if (values.length !== 1)
    errors.push(
      fieldRequired(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
    );
  validateLabelKey(errors, key, `${path}.key`);
  if (valueRule === "anyValue") return;
  values.forEach((value, i) => {
    addInvalid(errors, value, isLabelValue(value), `${path}.values[${i}]`);
  });
}

function validateNodeField(
  errors: FieldErrors,
  { key = "", operator, values = [] }: corev1.NodeSelectorRequirement,
  path: string,
): void {
  if (operator !== "In" && operator !== "NotIn")
    errors.push(fieldInvalid(`${path}.operator`, operator ?? "", "not a valid selector operator"));
  else if (values.length !== 1)
    errors.push(
      fieldRequired(
        `${path}.values`,
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      ),
    );
  if (key !== "metadata.name") {
    errors.push(fieldInvalid(`${path}.key`, key, "not a valid field selector key"));
    return;
  }
  values.forEach((value, i) => {
    addInvalid(errors, value, isDnsSubdomain(value), `${path}.values[${i}]`);
  });
}

/** Affinity and anti-affinity have the same form. */
function validatePodAffinity(
  errors: FieldErrors,
  affinity: corev1.PodAffinity | corev1.PodAntiAffinity,
  path: string,
): void {
  affinity[required]?.forEach((term, i) => {
    validatePodAffinityTerm(errors, term, `${path}.${required}[${i}]`);
  });
  affinity[preferred]?.forEach(({ weight, podAffinityTerm }, i) => {
    const at = `${path}.${preferred}[${i}]`;
    validateWeight(errors, weight, `${at}.weight`);
    validatePodAffinityTerm(errors, podAffinityTerm ?? { topologyKey: "" }, `${at}.podAffinityTerm`);
  });
}

function validatePodAffinityTerm(errors: FieldErrors, term: corev1.PodAffinityTerm, path: string): void {
  const labelSelector = term.labelSelector as LabelSelector | undefined;
  validateLabelSelector(errors, labelSelector, `${path}.labelSelector`);
  validateLabelSelector(
    errors,
    term.namespaceSelector as LabelSelector | undefined,
    `${path}.namespaceSelector`,
  );
  for (const namespace of term.namespaces ?? [])
    addInvalid(errors, namespace, isDnsLabel(namespace), `${path}.namespace`);
  validateMatchLabelKeys(errors, term, labelSelector, path);
  const { topologyKey = "" } = term;
  if (!topologyKey) errors.push(fieldRequired(`${path}.topologyKey`, "can not be empty"));
  validateLabelKey(errors, topologyKey, `${path}.topologyKey`);
}

/** Keys whose values are taken from the pod's own labels; the selector must not name them, too. */
export function validateMatchLabelKeys(
  errors: FieldErrors,
  keys: { matchLabelKeys?: string[]; mismatchLabelKeys?: string[] },
  selector: LabelSelector | undefined,
  path: string,
): void {
  const { matchLabelKeys = [], mismatchLabelKeys = [] } = keys;
  validateKeys(errors, matchLabelKeys, selector, `${path}.matchLabelKeys`);
  validateKeys(errors, mismatchLabelKeys, selector, `${path}.mismatchLabelKeys`);
  if (selector) {
    const selected = new Set(Object.keys(selector.matchLabels ?? {}));
    for (const { key } of selector.matchExpressions ?? []) {
      // The first requirement on a key may be the one that was made from `matchLabelKeys` itself.
      const index = matchLabelKeys.indexOf(key);
      if (index >= 0 && selected.has(key))
        errors.push(
          fieldInvalid(`${path}[${index}]`, key, "exists in both matchLabelKeys and labelSelector"),
        );
      selected.add(key);
    }
  }
  matchLabelKeys.forEach((key, i) => {
    if (mismatchLabelKeys.includes(key))
      errors.push(
        fieldInvalid(
          `${path}.matchLabelKeys[${i}]`,
          key,
          "exists in both matchLabelKeys and mismatchLabelKeys",
        ),
      );
  });
}

function validateKeys(
  errors: FieldErrors,
  keys: readonly string[],
  selector: LabelSelector | undefined,
  path: string,
): void {
  if (keys.length === 0) return;
  if (!selector) {
    errors.push(fieldForbidden(path, "must not be specified when labelSelector is not set"));
    return;
  }
  keys.forEach((key, i) => {
    validateLabelKey(errors, key, `${path}[${i}]`);
  });
}
