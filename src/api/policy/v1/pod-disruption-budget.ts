import { fieldInvalid, type LabelSelector } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { policyv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { validateLabelSelector } from "../../validation/labels.ts";
import { type FieldErrors, validateCountOrPercent, validateNonNegative } from "../../validation/values.ts";

type Budget = policyv1.PodDisruptionBudget;

/** Counterpart upstream: `pkg/registry/policy/poddisruptionbudget`. */
export const podDisruptionBudget: Kind<Budget> = {
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  resource: "poddisruptionbudgets",
  singular: "poddisruptionbudget",
  shortNames: ["pdb"],
  categories: [],
  scope: "Namespaced",
  schema: "policy/v1.PodDisruptionBudget",
  hasStatus: true,
  columns: [
    nameColumn,
    column<Budget>("Min Available", "string", "How many pods must stay.", ({ spec }) =>
      String(spec.minAvailable ?? "N/A"),
    ),
    column<Budget>("Max Unavailable", "string", "How many pods may be missing.", ({ spec }) =>
      String(spec.maxUnavailable ?? "N/A"),
    ),
    column<Budget>(
      "Allowed Disruptions",
      "integer",
      "How many pods may be evicted now.",
      ({ status }) => status?.disruptionsAllowed ?? 0,
    ),
    ageColumn,
  ] as Kind<Budget>["columns"],
  strategy: {
    tracksGeneration: true,
    // Who changes one must have seen what it says.
    allowUnconditionalUpdate: false,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
    },
    prepareForCreate(object) {
      object.status = {
        disruptionsAllowed: 0,
        currentHealthy: 0,
        desiredHealthy: 0,
        expectedPods: 0,
      };
    },
    validate({ spec }) {
      const errors: FieldErrors = [];
      if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined)
        errors.push(fieldInvalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
      for (const field of ["minAvailable", "maxUnavailable"] as const) {
        const value = spec[field];
        validateCountOrPercent(errors, value, `spec.${field}`);
        if (typeof value === "string" && Number.parseInt(value, 10) > 100)
          errors.push(fieldInvalid(`spec.${field}`, value, "must not be greater than 100%"));
      }
      validateLabelSelector(errors, spec.selector as LabelSelector | undefined, "spec.selector");
      return errors;
    },
    validateStatusUpdate({ status = {} }) {
      const errors: FieldErrors = [];
      for (const field of ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const)
        validateNonNegative(errors, status[field], `status.${field}`);
      return errors;
    },
  },
};
