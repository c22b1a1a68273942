import {
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isDnsLabel,
  isDnsSubdomain,
  type LabelSelector,
} from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { validateLabelSelector } from "../../../validation/labels.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { addInvalid, type FieldErrors } from "../../../validation/values.ts";
import { validateAccessModes, volumeModes } from "../persistent-volume/access-modes.ts";

type ClaimSpec = corev1.PersistentVolumeClaimSpec;

/** What a claim asks for; also in a template. */
export function validateClaimSpec(errors: FieldErrors, spec: ClaimSpec, path: string): void {
  const modes = spec.accessModes ?? [];
  if (modes.length === 0)
    errors.push(fieldRequired(`${path}.accessModes`, "at least 1 access mode is required"));
  validateLabelSelector(errors, spec.selector as LabelSelector | undefined, `${path}.selector`);
  validateAccessModes(errors, modes, `${path}.accessModes`);
  const storage = spec.resources?.requests?.storage;
  if (storage === undefined) errors.push(fieldRequired(`${path}.resources[storage]`));
  else if (quantityOf(storage).sign <= 0)
    errors.push(fieldInvalid(`${path}.resources[storage]`, storage, "must be greater than zero"));
  for (const field of ["storageClassName", "volumeAttributesClassName"] as const) {
    const name = spec[field];
    if (name) addInvalid(errors, name, isDnsSubdomain(name), `${path}.${field}`);
  }
  const { volumeMode } = spec;
  if (volumeMode !== undefined && !volumeModes.includes(volumeMode))
    errors.push(fieldNotSupported(`${path}.volumeMode`, volumeMode, volumeModes));
  validateDataSources(errors, spec, path);
}

function validateDataSources(errors: FieldErrors, spec: ClaimSpec, path: string): void {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource) validateDataSource(errors, dataSource, `${path}.dataSource`);
  if (dataSourceRef) {
    validateDataSource(errors, dataSourceRef, `${path}.dataSourceRef`);
    const { namespace } = dataSourceRef;
    if (namespace) addInvalid(errors, namespace, isDnsLabel(namespace), `${path}.dataSourceRef.namespace`);
  }
  if (!dataSource || !dataSourceRef) return;
  if (dataSourceRef.namespace)
    errors.push(
      fieldInvalid(
        path,
        `${path}.dataSource`,
        "may not be specified when dataSourceRef.namespace is specified",
      ),
    );
  else if (
    dataSource.apiGroup !== dataSourceRef.apiGroup ||
    dataSource.kind !== dataSourceRef.kind ||
    dataSource.name !== dataSourceRef.name
  )
    errors.push(fieldInvalid(path, `${path}.dataSource`, "must match dataSourceRef"));
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

/** Bytes come whole. */
export function claimSpecWarnings(spec: ClaimSpec, path: string): string[] {
  return (["requests", "limits"] as const).flatMap((list) => {
    const amount = spec.resources?.[list]?.storage;
    return amount !== undefined && quantityOf(amount).milliValue() % 1_000 !== 0
      ? [
          `${path}.resources.${list}[storage]: fractional byte value "${amount}" is invalid, must be an integer`,
        ]
      : [];
  });
}
