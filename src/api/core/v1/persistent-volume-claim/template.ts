import { fieldForbidden } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { validateAnnotations, validateLabels } from "../../../validation/labels.ts";
import type { FieldErrors } from "../../../validation/values.ts";
import { validateClaimSpec } from "./spec.ts";

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
