import type { appsv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, validateImmutable, validateNonNegative } from "../../validation/values.ts";
import {
  defaultReplicated,
  replicaColumns,
  replicaScale,
  replicatedWarnings,
  selectorColumn,
  validateReplicaCounts,
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
  columns: replicaColumns(selectorColumn),
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
    validateStatusUpdate: ({ status }) => validateReplicaCounts(status),
    warnings: replicatedWarnings,
  },
};
