import {
  type FieldError,
  fieldInvalid,
  isDnsLabel,
  isQualifiedName,
  type KubeObject,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { addInvalid, type FieldErrors } from "../../validation/values.ts";

/** Who takes it out has seen that nothing is left in the namespace. */
const kubernetesFinalizer = "kubernetes";
const nameLabel = "kubernetes.io/metadata.name";

/** Counterpart upstream: `pkg/registry/core/namespace`. */
export const namespace: Kind<corev1.Namespace> = {
  group: "",
  version: "v1",
  kind: "Namespace",
  resource: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  categories: [],
  scope: "Cluster",
  schema: "core/v1.Namespace",
  hasStatus: true,
  subresources: ["finalize"],
  columns: [
    nameColumn,
    column(
      "Status",
      "string",
      "Active, or Terminating until all that is in it is gone.",
      ({ status }) => status?.phase ?? "",
    ),
    ageColumn,
  ] as Kind<corev1.Namespace>["columns"],
  selectableFields: ({ metadata, status }) => ({
    "status.phase": status?.phase ?? "",
    // Without `metadata.`: an old slip that clients rely on.
    name: metadata.name ?? "",
  }),
  strategy: {
    tracksGeneration: false,
    validateName: isDnsLabel,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
      object.status.phase ||= "Active";
      labelWithName(object);
    },
    prepareForCreate(object) {
      object.status = { phase: "Active" };
      const finalizers = object.spec!.finalizers ?? [];
      if (!finalizers.includes(kubernetesFinalizer))
        object.spec!.finalizers = [...finalizers, kubernetesFinalizer];
      // A generated name was not known to the defaults.
      labelWithName(object);
    },
    prepareForUpdate(object, old) {
      object.spec = { ...object.spec };
      if (old.spec?.finalizers) object.spec.finalizers = old.spec.finalizers;
      else delete object.spec.finalizers;
    },
    validate(object) {
      const errors: FieldErrors = [];
      for (const finalizer of object.spec?.finalizers ?? []) {
        addInvalid(errors, finalizer, isQualifiedName(finalizer), "spec.finalizers");
        if (!finalizer.includes("/") && finalizer !== kubernetesFinalizer)
          errors.push(
            fieldInvalid(
              "spec.finalizers",
              finalizer,
              "name is neither a standard finalizer name nor is it fully qualified",
            ),
          );
      }
      return errors;
    },
    validateStatusUpdate: validatePhase,
    holdsDeletion: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
    prepareForDelete(object) {
      object.status = { ...object.status, phase: "Terminating" };
    },
  },
};

function labelWithName({ metadata }: KubeObject): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, [nameLabel]: metadata.name };
}

function validatePhase({ metadata, status }: corev1.Namespace): FieldError[] {
  const phase = status?.phase ?? "";
  if (metadata.deletionTimestamp)
    return phase === "Terminating"
      ? []
      : [
          fieldInvalid(
            "status.Phase",
            phase,
            "may only be 'Terminating' if `deletionTimestamp` is not empty",
          ),
        ];
  return phase === "Active"
    ? []
    : [fieldInvalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")];
}
