import {
  type FieldError,
  fieldDuplicate,
  fieldNotSupported,
  fieldRequired,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import { deprecatedNodeLabel } from "../../core/v1/node/deprecated-labels.ts";
import type { corev1, storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { validateLabelKey } from "../../validation/labels.ts";
import { type FieldErrors, semanticallyEqual, validateImmutable } from "../../validation/values.ts";
import { isDefaultClass } from "./default-class.ts";
import { validateParameters, validateProvisioner } from "./parameters.ts";

type StorageClass = storagev1.StorageClass;

const reclaimPolicies: readonly string[] = ["Delete", "Retain"];
const bindingModes: readonly string[] = ["Immediate", "WaitForFirstConsumer"];

/** Counterpart upstream: `pkg/registry/storage/storageclass`. */
export const storageClass: Kind<StorageClass> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  resource: "storageclasses",
  singular: "storageclass",
  shortNames: ["sc"],
  categories: [],
  scope: "Cluster",
  schema: "storage/v1.StorageClass",
  hasStatus: false,
  columns: [
    {
      ...nameColumn,
      value: (object) =>
        `${object.metadata.name}${isDefaultClass(object as StorageClass) ? " (default)" : ""}`,
    },
    column<StorageClass>("Provisioner", "string", "Who makes its volumes.", ({ provisioner }) => provisioner),
    column<StorageClass>(
      "ReclaimPolicy",
      "string",
      "What becomes of a volume without its claim.",
      ({ reclaimPolicy }) => reclaimPolicy ?? "Delete",
    ),
    column<StorageClass>(
      "VolumeBindingMode",
      "string",
      "Whether a volume is made for a claim at once, or for its first pod.",
      ({ volumeBindingMode }) => volumeBindingMode ?? "Immediate",
    ),
    column<StorageClass>(
      "AllowVolumeExpansion",
      "string",
      "Whether claims may ask for more later.",
      ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
    ),
    ageColumn,
  ] as Kind<StorageClass>["columns"],
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.reclaimPolicy ??= "Delete";
      object.volumeBindingMode ??= "Immediate";
    },
    validate(object) {
      const errors: FieldErrors = [];
      const { allowedTopologies = [], parameters, provisioner, reclaimPolicy, volumeBindingMode } = object;
      validateProvisioner(errors, provisioner, "provisioner");
      validateParameters(errors, parameters, "parameters");
      if (reclaimPolicy && !reclaimPolicies.includes(reclaimPolicy))
        errors.push(fieldNotSupported("reclaimPolicy", reclaimPolicy, reclaimPolicies));
      if (!bindingModes.includes(volumeBindingMode ?? ""))
        errors.push(fieldNotSupported("volumeBindingMode", volumeBindingMode, bindingModes));
      validateTopologies(errors, allowedTopologies);
      return errors;
    },
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      for (const field of ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] as const)
        validateImmutable(errors, object[field], old[field], field);
      return errors;
    },
    warnings: ({ allowedTopologies = [] }) =>
      allowedTopologies.flatMap(({ matchLabelExpressions = [] }, i) =>
        matchLabelExpressions.flatMap(({ key }, e) => {
          const message = deprecatedNodeLabel(key);
          return message ? [`allowedTopologies[${i}].matchLabelExpressions[${e}].key: ${message}`] : [];
        }),
      ),
  },
};

function validateTopologies(errors: FieldError[], terms: readonly corev1.TopologySelectorTerm[]): void {
  const before: Record<string, string[]>[] = [];
  terms.forEach(({ matchLabelExpressions = [] }, i) => {
    const at = `allowedTopologies[${i}].matchLabelExpressions`;
    const expressions: Record<string, string[]> = {};
    matchLabelExpressions.forEach(({ key, values = [] }, e) => {
      if (values.length === 0) errors.push(fieldRequired(`${at}[${e}].values`));
      values.forEach((value, v) => {
        if (values.indexOf(value) < v) errors.push(fieldDuplicate(`${at}[${e}].values[${v}]`, value));
      });
      validateLabelKey(errors, key, `${at}[${e}].key`);
      if (Object.hasOwn(expressions, key)) errors.push(fieldDuplicate(`${at}[${e}].key`, key));
      expressions[key] = [...values].sort();
    });
    if (before.some((other) => semanticallyEqual(other, expressions))) errors.push(fieldDuplicate(at, ""));
    before.push(expressions);
  });
}
