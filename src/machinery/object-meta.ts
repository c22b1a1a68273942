import { type FieldError, fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong } from "./field-error.ts";
import {
  type LabelSelector,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type OwnerReference,
  parseApiVersion,
} from "./meta.ts";
import { isDnsLabel, isLabelValue, isQualifiedName } from "./names.ts";

/*
 * Validation of metadata, the same for every kind. As `apimachinery/pkg/api/validation`: paths and wording are upstream's.
 */

/** Keys and values together: 256 KiB. */
export const annotationBytesMax = 262_144;
const fieldManagerLengthMax = 128;
const subresourceLengthMax = 256;

export interface ObjectMetaRules {
  scope: "Namespaced" | "Cluster";
  /** How the kind's names must look. */
  validateName(name: string): string[];
}

/** Of a new object, after its name has been generated and its namespace set. */
export function validateObjectMeta(meta: ObjectMeta, { scope, validateName }: ObjectMetaRules): FieldError[] {
  const errors: FieldError[] = [];
  if (meta.generateName) {
    // What follows the prefix makes a trailing dash right.
    const prefix = meta.generateName.replace(/(?<=.)-$/, "a");
    for (const why of validateName(prefix))
      errors.push(fieldInvalid("metadata.generateName", meta.generateName, why));
  }
  if (!meta.name) errors.push(fieldRequired("metadata.name", "name or generateName is required"));
  else for (const why of validateName(meta.name)) errors.push(fieldInvalid("metadata.name", meta.name, why));
  if (scope === "Namespaced") {
    if (!meta.namespace) errors.push(fieldRequired("metadata.namespace"));
    else
      for (const why of isDnsLabel(meta.namespace))
        errors.push(fieldInvalid("metadata.namespace", meta.namespace, why));
  } else if (meta.namespace) errors.push(fieldForbidden("metadata.namespace", "not allowed on this type"));
  if ((meta.generation ?? 0) < 0)
    errors.push(fieldInvalid("metadata.generation", meta.generation, "must be greater than or equal to 0"));
  errors.push(...validateCommon(meta), ...validateFinalizers(meta.finalizers ?? []));
  return errors;
}

const immutableFields = [
  "name",
  "namespace",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

/** Of an update, in addition to nothing: a change is checked alone, as upstream does. `old` is what is stored. */
export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  if (old.deletionTimestamp) {
    const added = (meta.finalizers ?? []).filter((finalizer) => !old.finalizers?.includes(finalizer));
    if (added.length > 0)
      errors.push(
        fieldForbidden(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added
            .sort()
            .map((finalizer) => JSON.stringify(finalizer))
            .join(", ")}}`,
        ),
      );
  }
  if (!meta.resourceVersion)
    errors.push(
      fieldInvalid("metadata.resourceVersion", meta.resourceVersion ?? "", "must be specified for an update"),
    );
  if ((meta.generation ?? 0) < (old.generation ?? 0))
    errors.push(fieldInvalid("metadata.generation", meta.generation ?? 0, "must not be decremented"));
  for (const field of immutableFields) {
    if ((meta[field] ?? null) !== (old[field] ?? null))
      errors.push(fieldInvalid(`metadata.${field}`, meta[field], "field is immutable"));
  }
  errors.push(...validateCommon(meta));
  return errors;
}

function validateCommon(meta: ObjectMeta): FieldError[] {
  return [
    ...validateLabels(meta.labels, "metadata.labels"),
    ...validateAnnotations(meta.annotations, "metadata.annotations"),
    ...validateOwnerReferences(meta.ownerReferences ?? [], "metadata.ownerReferences"),
    ...validateManagedFields(meta.managedFields ?? [], "metadata.managedFields"),
  ];
}

export function validateLabels(
  labels: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const key in labels) {
    const value = labels[key]!;
    for (const why of isQualifiedName(key)) errors.push(fieldInvalid(path, key, why));
    for (const why of isLabelValue(value)) errors.push(fieldInvalid(path, value, why));
  }
  return errors;
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const key in annotations) {
    for (const why of isQualifiedName(key.toLowerCase())) errors.push(fieldInvalid(path, key, why));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!);
  }
  if (bytes > annotationBytesMax) errors.push(fieldTooLong(path, annotationBytesMax));
  return errors;
}

export function validateOwnerReferences(owners: readonly OwnerReference[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  let controller: string | undefined;
  for (const owner of owners) {
    const { group, version } = parseApiVersion(owner.apiVersion ?? "");
    if (version === "" || version.includes("/"))
      errors.push(fieldInvalid(`${path}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    for (const field of ["kind", "name", "uid"] as const)
      if (!owner[field])
        errors.push(fieldInvalid(`${path}.${field}`, owner[field] ?? "", "must not be empty"));
    if (group === "" && version === "v1" && owner.kind === "Event")
      errors.push(fieldInvalid(path, owner, "/v1, Kind=Event is disallowed from being an owner"));
    if (!owner.controller) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller !== undefined)
      errors.push(
        fieldInvalid(
          path,
          owners,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
        ),
      );
    else controller = name;
  }
  return errors;
}

function validateFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = "metadata.finalizers";
  const errors = finalizers.flatMap((finalizer) =>
    isQualifiedName(finalizer).map((why) => fieldInvalid(path, finalizer, why)),
  );
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion"))
    errors.push(fieldInvalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  return errors;
}

function validateManagedFields(entries: readonly ManagedFieldsEntry[], path: string): FieldError[] {
  return entries.flatMap((entry, index) => {
    const here = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (entry.operation !== "Apply" && entry.operation !== "Update")
      errors.push(fieldInvalid(`${here}.operation`, entry.operation ?? "", "must be `Apply` or `Update`"));
    if (entry.fieldsType && entry.fieldsType !== "FieldsV1")
      errors.push(fieldInvalid(`${here}.fieldsType`, entry.fieldsType, "must be `FieldsV1`"));
    errors.push(...validateFieldManager(entry.manager ?? "", `${here}.manager`));
    if ((entry.subresource?.length ?? 0) > subresourceLengthMax)
      errors.push(fieldTooLong(`${here}.subresource`, subresourceLengthMax));
    return errors;
  });
}

export function validateFieldManager(manager: string, path: string): FieldError[] {
  if (Buffer.byteLength(manager) > fieldManagerLengthMax) return [fieldTooLong(path, fieldManagerLengthMax)];
  const unprintable = /[^\P{C}]/u.exec(manager);
  if (!unprintable) return [];
  const code = unprintable[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return [fieldInvalid(path, manager, `invalid character U+${code} (at position ${unprintable.index})`)];
}

/** Whether a requirement's operator is one of the four of label selectors, and has values where it needs them. */
export function validateOperator(
  operator: string | undefined,
  values: readonly string[],
  path: string,
): FieldError[] {
  switch (operator) {
    case "In":
    case "NotIn":
      return values.length > 0
        ? []
        : [fieldRequired(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists":
    case "DoesNotExist":
      return values.length === 0
        ? []
        : [
            fieldForbidden(
              `${path}.values`,
              "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
          ];
    default:
      return [fieldInvalid(`${path}.operator`, operator ?? "", "not a valid selector operator")];
  }
}

/** A selector in a spec, at `path`. */
export function validateLabelSelector(selector: LabelSelector | undefined, path: string): FieldError[] {
  const errors = validateLabels(selector?.matchLabels, `${path}.matchLabels`);
  selector?.matchExpressions?.forEach(({ key, operator, values = [] }, index) => {
    const here = `${path}.matchExpressions[${index}]`;
    errors.push(...validateOperator(operator, values, here));
    for (const why of isQualifiedName(key ?? "")) errors.push(fieldInvalid(`${here}.key`, key ?? "", why));
    values.forEach((value, at) => {
      for (const why of isLabelValue(value)) errors.push(fieldInvalid(`${here}.values[${at}]`, value, why));
    });
  });
  return errors;
}
