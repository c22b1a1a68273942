import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isDnsSubdomain,
  type LabelSelector,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateAnnotations, validateLabelSelector, validateLabels } from "../../../../validation/labels.ts";
import { quantityOf } from "../../../../validation/quantities.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";

const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/** The claim that a generic ephemeral volume makes. */
export function validateClaimTemplate(
  errors: FieldErrors,
  { metadata = {}, spec }: corev1.PersistentVolumeClaimTemplate,
  path: string,
): void {
  validateAnnotations(errors, metadata.annotations, `${path}.metadata.annotations`);
  validateLabels(errors, metadata.labels, `${path}.metadata.labels`);
  for (const field in metadata) {
    if (field !== "annotations" && field !== "labels")
      errors.push(fieldForbidden(`${path}.metadata.${field}`, "cannot be set"));
  }
  validateClaimSpec(errors, spec ?? {}, `${path}.spec`);
}

export function validateClaimSpec(
  errors: FieldErrors,
  spec: corev1.PersistentVolumeClaimSpec,
  path: string,
): void {
  const modes: readonly string[] = spec.accessModes ?? [];
  if (modes.length === 0)
    errors.push(fieldRequired(`${path}.accessModes`, "at least 1 access mode is required"));
  validateLabelSelector(errors, spec.selector as LabelSelector | undefined, `${path}.selector`);
  for (const mode of modes) {
    if (!accessModes.includes(mode)) errors.push(fieldNotSupported(`${path}.accessModes`, mode, accessModes));
  }
  if (
    modes.includes("ReadWriteOncePod") &&
    modes.some((mode) => mode !== "ReadWriteOncePod" && accessModes.includes(mode))
  )
    errors.push(
      fieldForbidden(`${path}.accessModes`, "may not use ReadWriteOncePod with other access modes"),
    );
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(fieldRequired(`${path}.resources[storage]`));
  else if (quantityOf(storage).sign <= 0)
    errors.push(fieldInvalid(`${path}.resources[storage]`, storage, "must be greater than zero"));
  for (const field of ["storageClassName", "volumeAttributesClassName"] as const) {
    const name = spec[field];
    if (name) addInvalid(errors, name, isDnsSubdomain(name), `${path}.${field}`);
  }
  const { volumeMode } = spec;
  if (volumeMode !== undefined && !["Block", "Filesystem"].includes(volumeMode))
    errors.push(fieldNotSupported(`${path}.volumeMode`, volumeMode, ["Block", "Filesystem"]));
  for (const field of ["dataSource", "dataSourceRef"] as const) {
    const source = spec[field];
    if (source) validateDataSource(errors, source, `${path}.${field}`);
  }
}

function validateDataSource(
  errors: FieldErrors,
  { apiGroup, kind, name }: corev1.TypedLocalObjectReference,
  path: string,
): void {
  if (!name) errors.push(fieldRequired(`${path}.name`));
  if (!kind) errors.push(fieldRequired(`${path}.kind`));
  if (apiGroup) addInvalid(errors, apiGroup, isDnsSubdomain(apiGroup), `${path}.apiGroup`);
  else if (kind !== "PersistentVolumeClaim")
    errors.push(
      fieldInvalid(path, kind ?? "", "must be 'PersistentVolumeClaim' when referencing the default apiGroup"),
    );
}
