import { type FieldError, fieldInvalid } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { appsv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, validateImmutable, validateNonNegative } from "../../validation/values.ts";
import {
  containersColumn,
  defaultReplicated,
  imagesColumn,
  replicaScale,
  replicatedWarnings,
  selectorColumn,
  validateReplicated,
} from "./replicated.ts";

type ReplicaSet = appsv1.ReplicaSet;

/** Counterpart upstream: `pkg/registry/apps/replicaset`. */
export const replicaSet: Kind<ReplicaSet> = {
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  resource: "replicasets",
  singular: "replicaset",
  shortNames: ["rs"],
  categories: ["all"],
  scope: "Namespaced",
  schema: "apps/v1.ReplicaSet",
  hasStatus: true,
  scale: replicaScale,
  columns: [
    nameColumn,
    column<ReplicaSet>("Desired", "integer", "How many pods are wanted.", ({ spec }) => spec?.replicas ?? 0),
    column<ReplicaSet>(
      "Current",
      "integer",
      "How many pods there are.",
      ({ status }) => status?.replicas ?? 0,
    ),
    column<ReplicaSet>(
      "Ready",
      "integer",
      "How many pods are ready.",
      ({ status }) => status?.readyReplicas ?? 0,
    ),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn,
  ] as Kind<ReplicaSet>["columns"],
  selectableFields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  strategy: {
    tracksGeneration: true,
    defaultPropagation: "Background",
    applyDefaults(object) {
      object.spec ??= {} as NonNullable<ReplicaSet["spec"]>;
      object.status ??= { replicas: 0 };
      defaultReplicated(object.spec);
    },
    prepareForCreate(object) {
      object.status = { replicas: 0 };
    },
    validate(object) {
      const errors: FieldErrors = [];
      validateNonNegative(errors, object.spec?.replicas, "spec.replicas");
      validateNonNegative(errors, object.spec?.minReadySeconds, "spec.minReadySeconds");
      validateReplicated(errors, object.spec!);
      return errors;
    },
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(errors, object.spec?.selector, old.spec?.selector, "spec.selector");
      return errors;
    },
    validateStatusUpdate: validateStatus,
    warnings: replicatedWarnings,
  },
};

const counts = [
  "replicas",
  "fullyLabeledReplicas",
  "readyReplicas",
  "availableReplicas",
  "observedGeneration",
  "terminatingReplicas",
] as const;

function validateStatus({ status }: ReplicaSet): FieldError[] {
  const errors: FieldErrors = [];
  for (const field of counts) validateNonNegative(errors, status?.[field], `status.${field}`);
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  for (const field of ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] as const) {
    const count = status?.[field] ?? 0;
    if (count > replicas)
      errors.push(fieldInvalid(`status.${field}`, count, "cannot be greater than status.replicas"));
  }
  if (availableReplicas > readyReplicas)
    errors.push(
      fieldInvalid("status.availableReplicas", availableReplicas, "cannot be greater than readyReplicas"),
    );
  return errors;
}
