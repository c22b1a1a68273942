import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isLabelValue,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateLabelKey } from "../../../../validation/labels.ts";
import { type FieldErrors, validateQualifiedName } from "../../../../validation/values.ts";

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function validateTaintEffect(errors: FieldErrors, effect: string, path: string): void {
  if (!effects.includes(effect)) errors.push(fieldNotSupported(path, effect, effects));
}

export function validateTolerations(
  errors: FieldErrors,
  tolerations: readonly corev1.Toleration[] | undefined,
  path: string,
): void {
  tolerations?.forEach((toleration, i) => {
    const at = `${path}[${i}]`;
    const { key = "", value = "", effect = "", tolerationSeconds } = toleration;
    const operator: string = toleration.operator ?? "";
    if (key) validateLabelKey(errors, key, `${at}.key`);
    else if (operator !== "Exists")
      errors.push(
        fieldInvalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (tolerationSeconds !== undefined && effect !== "NoExecute")
      errors.push(
        fieldInvalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    validateTolerationValue(errors, operator, value, at);
    if (effect) validateTaintEffect(errors, effect, `${at}.effect`);
  });
}

function validateTolerationValue(errors: FieldErrors, operator: string, value: string, path: string): void {
  switch (operator) {
    case "":
    case "Equal": {
      const messages = isLabelValue(value);
      if (messages.length > 0) errors.push(fieldInvalid(`${path}.operator`, value, messages.join(";")));
      return;
    }
    case "Exists":
      if (value)
        errors.push(
          fieldInvalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"),
        );
      return;
    case "Lt":
    case "Gt":
      // Behind an alpha feature gate upstream.
      errors.push(fieldNotSupported(`${path}.operator`, operator, ["Equal", "Exists", "Lt", "Gt"]));
      return;
    default:
      errors.push(fieldNotSupported(`${path}.operator`, operator, ["Equal", "Exists"]));
  }
}

/** What holds a pod back from being scheduled. */
export function validateSchedulingGates(
  errors: FieldErrors,
  gates: readonly corev1.PodSchedulingGate[] | undefined,
  path: string,
): void {
  const seen = new Set<string>();
  gates?.forEach(({ name = "" }, i) => {
    validateQualifiedName(errors, name, `${path}[${i}]`);
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}[${i}]`, name));
    seen.add(name);
  });
}

export function validateReadinessGates(
  errors: FieldErrors,
  gates: readonly corev1.PodReadinessGate[] | undefined,
  path: string,
): void {
  gates?.forEach(({ conditionType = "" }, i) => {
    validateQualifiedName(errors, conditionType, `${path}[${i}].conditionType`);
  });
}

export function validatePreemptionPolicy(
  errors: FieldErrors,
  policy: string | undefined,
  path: string,
): void {
  if (policy === undefined || policy === "PreemptLowerPriority" || policy === "Never") return;
  if (policy === "") errors.push(fieldRequired(path));
  else errors.push(fieldNotSupported(path, policy, ["PreemptLowerPriority", "Never"]));
}

/** Of a taint list: unique by key and effect. */
export function validateTaints(
  errors: FieldErrors,
  taints: readonly corev1.Taint[] | undefined,
  path: string,
): void {
  const seen = new Set<string>();
  taints?.forEach((taint, i) => {
    const at = `${path}[${i}]`;
    const { key = "", value = "", effect } = taint;
    validateLabelKey(errors, key, `${at}.key`);
    const messages = isLabelValue(value);
    if (messages.length > 0) errors.push(fieldInvalid(`${at}.value`, value, messages.join(";")));
    if (!effect) errors.push(fieldRequired(`${at}.effect`));
    else validateTaintEffect(errors, effect, `${at}.effect`);
    const identity = `${effect}/${key}`;
    if (seen.has(identity))
      errors.push({
        ...fieldDuplicate(at, taint),
        message: `${fieldDuplicate(at, taint).message}: taints must be unique by key and effect pair`,
      });
    seen.add(identity);
  });
}

/** Only deletions are allowed once a pod is there. */
export function validateOnlyDeletedGates(
  errors: FieldErrors,
  gates: readonly corev1.PodSchedulingGate[] | undefined,
  oldGates: readonly corev1.PodSchedulingGate[] | undefined,
  path: string,
): void {
  gates?.forEach(({ name }, i) => {
    if (!oldGates?.some((old) => old.name === name))
      errors.push(
        fieldForbidden(
          `${path}[${i}].name`,
          `only deletion is allowed, but found new scheduling gate '${name}'`,
        ),
      );
  });
}
