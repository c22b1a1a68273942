import { type FieldError, fieldInvalid, isDnsSubdomain } from "../../../machinery/index.ts";
import { column, nameColumn } from "../../columns.ts";
import type { storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { validateLabelSelector } from "../../validation/labels.ts";
import { quantityOf } from "../../validation/quantities.ts";
import { addInvalid, type FieldErrors, validateImmutable } from "../../validation/values.ts";

type CSIStorageCapacity = storagev1.CSIStorageCapacity;

/** Counterpart upstream: `pkg/registry/storage/csistoragecapacity`. */
export const csiStorageCapacity: Kind<CSIStorageCapacity> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIStorageCapacity",
  resource: "csistoragecapacities",
  singular: "csistoragecapacity",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  schema: "storage/v1.CSIStorageCapacity",
  hasStatus: false,
  columns: [
    nameColumn,
    column<CSIStorageCapacity>(
      "StorageClassName",
      "string",
      "The class of volumes it is about.",
      ({ storageClassName }) => storageClassName,
    ),
    column<CSIStorageCapacity>(
      "Capacity",
      "string",
      "How much there is for one volume or many.",
      ({ capacity }) => capacity ?? "<unset>",
    ),
  ] as Kind<CSIStorageCapacity>["columns"],
  strategy: {
    tracksGeneration: false,
    allowUnconditionalUpdate: false,
    validate: validateCapacity,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(errors, object.nodeTopology, old.nodeTopology, "nodeTopology");
      validateImmutable(errors, object.storageClassName, old.storageClassName, "storageClassName");
      return errors;
    },
  },
};

function validateCapacity({ nodeTopology, storageClassName, capacity }: CSIStorageCapacity): FieldError[] {
  const errors: FieldErrors = [];
  validateLabelSelector(errors, nodeTopology, "nodeTopology");
  addInvalid(errors, storageClassName, isDnsSubdomain(storageClassName), "storageClassName");
  if (capacity !== undefined && quantityOf(capacity).sign < 0)
    errors.push(fieldInvalid("capacity", capacity, "must be greater than or equal to 0"));
  return errors;
}
