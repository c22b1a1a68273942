import { type FieldError, fieldForbidden, fieldInvalid } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { coordinationv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";

/** Counterpart upstream: `pkg/registry/coordination/lease`. */
export const lease: Kind<coordinationv1.Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  resource: "leases",
  singular: "lease",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  schema: "coordination/v1.Lease",
  hasStatus: false,
  columns: [
    nameColumn,
    column<coordinationv1.Lease>("Holder", "string", "Who has it.", ({ spec }) => spec?.holderIdentity ?? ""),
    ageColumn,
  ] as Kind<coordinationv1.Lease>["columns"],
  strategy: {
    tracksGeneration: false,
    allowCreateOnUpdate: true,
    // Who renews a lease must have seen that it still holds it.
    allowUnconditionalUpdate: false,
    applyDefaults(object) {
      object.spec ??= {};
    },
    validate: validateLease,
  },
};

function validateLease({ spec = {} }: coordinationv1.Lease): FieldError[] {
  const { leaseDurationSeconds, leaseTransitions, strategy, preferredHolder } = spec;
  const errors: FieldError[] = [];
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0)
    errors.push(fieldInvalid("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"));
  if (leaseTransitions !== undefined && leaseTransitions < 0)
    errors.push(
      fieldInvalid("spec.leaseTransitions", leaseTransitions, "must be greater than or equal to 0"),
    );
  if (preferredHolder && !strategy)
    errors.push(fieldForbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
  return errors;
}
