import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type LabelSelector,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateLabelSelector } from "../../../../validation/labels.ts";
import { type FieldErrors, validatePositive } from "../../../../validation/values.ts";
import { validateMatchLabelKeys } from "./affinity.ts";

const actions = ["DoNotSchedule", "ScheduleAnyway"];
const inclusionPolicies = ["Honor", "Ignore"];

export function validateTopologySpread(
  errors: FieldErrors,
  constraints: readonly corev1.TopologySpreadConstraint[] | undefined,
  path: string,
): void {
  constraints?.forEach((constraint, i) => {
    const at = `${path}[${i}]`;
    const { topologyKey = "", whenUnsatisfiable, minDomains } = constraint;
    const action: string = whenUnsatisfiable ?? "";
    validatePositive(errors, constraint.maxSkew, `${at}.maxSkew`);
    if (!topologyKey) errors.push(fieldRequired(`${at}.topologyKey`, "can not be empty"));
    if (!actions.includes(action)) errors.push(fieldNotSupported(`${at}.whenUnsatisfiable`, action, actions));
    const isRepeated = constraints
      .slice(i + 1)
      .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable);
    if (isRepeated)
      errors.push(fieldDuplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${action}}`));
    if (minDomains !== undefined) {
      validatePositive(errors, minDomains, `${at}.minDomains`);
      if (action !== "DoNotSchedule")
        errors.push(
          fieldInvalid(
            `${at}.minDomains`,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`,
          ),
        );
    }
    for (const field of ["nodeAffinityPolicy", "nodeTaintsPolicy"] as const) {
      const policy = constraint[field];
      if (policy !== undefined && !inclusionPolicies.includes(policy))
        errors.push(fieldNotSupported(`${at}.${field}`, policy, inclusionPolicies));
    }
    const selector = constraint.labelSelector as LabelSelector | undefined;
    validateMatchLabelKeys(errors, { matchLabelKeys: constraint.matchLabelKeys }, selector, at);
    validateLabelSelector(errors, selector, `${at}.labelSelector`);
  });
}
