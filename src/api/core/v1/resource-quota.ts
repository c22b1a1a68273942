import { type FieldError, fieldInvalid, fieldRequired } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, semanticallyEqual } from "../../validation/values.ts";
import { validateResourceAmount, validateResourceName } from "./pod/validation/resources.ts";
import { isQuotaResource, isScopeFor, type QuotaScope } from "./quota-resources.ts";

type ResourceQuota = corev1.ResourceQuota;

/** Counterpart upstream: `pkg/registry/core/resourcequota`. */
export const resourceQuota: Kind<ResourceQuota> = {
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  resource: "resourcequotas",
  singular: "resourcequota",
  shortNames: ["quota"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.ResourceQuota",
  hasStatus: true,
  columns: [
    nameColumn,
    column<ResourceQuota>("Request", "string", "What is used of what may be.", (object) =>
      amountsText(object, (name) => !name.startsWith("limits.")),
    ),
    column<ResourceQuota>("Limit", "string", "The same for limits.", (object) =>
      amountsText(object, (name) => name.startsWith("limits.")),
    ),
    ageColumn,
  ] as Kind<ResourceQuota>["columns"],
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
    },
    prepareForCreate(object) {
      object.status = {};
    },
    validate: ({ spec }) => specErrors(spec),
    validateUpdate({ spec }, old) {
      const same = semanticallyEqual(sorted(spec.scopes), sorted(old.spec.scopes));
      return same ? [] : [fieldInvalid("spec.scopes", spec.scopes, "field is immutable")];
    },
    validateStatusUpdate({ status = {} }) {
      const errors: FieldErrors = [];
      validateAmounts(errors, status.hard, "status.hard");
      validateAmounts(errors, status.used, "status.used");
      return errors;
    },
  },
};

const sorted = (scopes: readonly string[] | undefined) => [...new Set(scopes)].sort();

function amountsText({ status }: ResourceQuota, wanted: (name: string) => boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter(wanted)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? "0"}/${status!.hard![name]}`)
    .join(", ");
}

function specErrors(spec: corev1.ResourceQuotaSpec): FieldError[] {
  const errors: FieldErrors = [];
  validateAmounts(errors, spec.hard, "spec.hard");
  validateScopes(errors, spec, spec.scopes ?? [], "spec.scopes", spec.scopes);
  if (spec.scopeSelector) validateSelector(errors, spec, spec.scopeSelector);
  return errors;
}

function validateAmounts(
  errors: FieldErrors,
  list: Readonly<Record<string, string>> | undefined,
  path: string,
): void {
  for (const name in list) {
    const at = `${path}[${name}]`;
    validateResourceName(errors, name, at);
    if (!name.includes("/") && !isQuotaResource(name))
      errors.push(fieldInvalid(at, name, "must be a standard resource for quota"));
    validateResourceAmount(errors, name, list[name]!, at);
  }
}

const conflicts: readonly (readonly QuotaScope[])[] = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
];

/** `shown`: what an error of them is said to be about. */
function validateScopes(
  errors: FieldErrors,
  spec: corev1.ResourceQuotaSpec,
  scopes: readonly QuotaScope[],
  path: string,
  shown: unknown,
): void {
  for (const scope of scopes) {
    for (const name of Object.keys(spec.hard ?? {}).sort())
      if (isQuotaResource(name) && !isScopeFor(scope, name))
        errors.push(fieldInvalid(path, shown, "unsupported scope applied to resource"));
  }
  for (const pair of conflicts)
    if (pair.every((scope) => scopes.includes(scope)))
      errors.push(fieldInvalid(path, spec.scopes, "conflicting scopes"));
}

function validateSelector(
  errors: FieldErrors,
  spec: corev1.ResourceQuotaSpec,
  selector: corev1.ScopeSelector,
): void {
  const path = "spec.scopeSelector.matchExpressions";
  const expressions = selector.matchExpressions ?? [];
  for (const { scopeName, operator, values = [] } of expressions) {
    const takesValues = scopeName === "PriorityClass" || scopeName === "VolumeAttributesClass";
    if (!takesValues && operator !== "Exists")
      errors.push(
        fieldInvalid(
          `${path}.operator`,
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      );
    const needsValues = operator === "In" || operator === "NotIn";
    if (needsValues && values.length === 0)
      errors.push(
        fieldRequired(
          `${path}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
      );
    if (!needsValues && values.length > 0)
      errors.push(
        fieldInvalid(
          `${path}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      );
  }
  const scopes = expressions.map(({ scopeName }) => scopeName);
  validateScopes(errors, spec, scopes, path, selector);
}
