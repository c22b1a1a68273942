import { type FieldError, fieldDuplicate, fieldInvalid, fieldRequired } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import {
  type FieldErrors,
  validateImmutable,
  validateNonNegative,
  validateQualifiedName,
} from "../../validation/values.ts";
import { validateDriverName } from "./driver-name.ts";

type CSINode = storagev1.CSINode;

const nodeIdLengthMax = 256;

/** Counterpart upstream: `pkg/registry/storage/csinode`. */
export const csiNode: Kind<CSINode> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSINode",
  resource: "csinodes",
  singular: "csinode",
  shortNames: [],
  categories: [],
  scope: "Cluster",
  schema: "storage/v1.CSINode",
  hasStatus: false,
  columns: [
    nameColumn,
    column<CSINode>(
      "Drivers",
      "integer",
      "How many CSI drivers are registered on the node.",
      ({ spec }) => spec.drivers?.length ?? 0,
    ),
    ageColumn,
  ] as Kind<CSINode>["columns"],
  strategy: {
    tracksGeneration: false,
    allowUnconditionalUpdate: false,
    validate({ spec }) {
      const errors: FieldErrors = [];
      const seen = new Set<string>();
      spec.drivers?.forEach((driver, index) => {
        validateDriver(errors, driver, `spec.drivers[${index}]`, seen);
      });
      return errors;
    },
    validateUpdate: validateDriversUpdate,
  },
};

function validateDriver(
  errors: FieldErrors,
  { name, nodeID, allocatable, topologyKeys }: storagev1.CSINodeDriver,
  path: string,
  seen: Set<string>,
): void {
  validateDriverName(errors, name, `${path}.name`);
  if (nodeID === "") errors.push(fieldRequired(`${path}.nodeID`));
  if (nodeID.length > nodeIdLengthMax)
    errors.push(fieldInvalid(`${path}.nodeID`, nodeID, `must be ${nodeIdLengthMax} characters or less`));
  validateNonNegative(errors, allocatable?.count, `${path}.allocatable.count`);
  if (seen.has(name)) errors.push(fieldDuplicate(`${path}.name`, name));
  seen.add(name);
  const keys = new Set<string>();
  for (const key of topologyKeys ?? []) {
    if (key === "") errors.push(fieldRequired(path));
    if (keys.has(key)) errors.push(fieldDuplicate(path, key));
    keys.add(key);
    validateQualifiedName(errors, key, path);
  }
}

/** A driver that stays is the same one; only how many volumes it can have on the node may change. */
function validateDriversUpdate(object: CSINode, old: CSINode): FieldError[] {
  const errors: FieldErrors = [];
  const withoutLimit = ({ allocatable: _, ...driver }: storagev1.CSINodeDriver) => driver;
  for (const before of old.spec.drivers ?? []) {
    const after = object.spec.drivers?.find(({ name }) => name === before.name);
    if (after) validateImmutable(errors, withoutLimit(after), withoutLimit(before), "spec.drivers");
  }
  return errors;
}
