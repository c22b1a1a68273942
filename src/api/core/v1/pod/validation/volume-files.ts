import { fieldInvalid, fieldRequired } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";
import { fileFieldPaths, validateFieldRef, validateFileResourceFieldRef } from "./env.ts";
import { validateFileMode, validateVolumeFilePath } from "./paths.ts";

/** A key of a ConfigMap or Secret, and the file it becomes. */
export function validateKeyToPath(errors: FieldErrors, item: corev1.KeyToPath, path: string): void {
  if (!item.key) errors.push(fieldRequired(`${path}.key`));
  if (!item.path) errors.push(fieldRequired(`${path}.path`));
  validateVolumeFilePath(errors, item.path, `${path}.path`);
  validateFileMode(errors, item.mode, `${path}.mode`);
}

/** A file that shows something of the pod. */
export function validateDownwardFile(
  errors: FieldErrors,
  file: corev1.DownwardAPIVolumeFile,
  path: string,
): void {
  if (!file.path) errors.push(fieldRequired(`${path}.path`));
  validateVolumeFilePath(errors, file.path, `${path}.path`);
  if (file.fieldRef) {
    validateFieldRef(errors, file.fieldRef, fileFieldPaths, `${path}.fieldRef`);
    if (file.resourceFieldRef)
      errors.push(
        fieldInvalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"),
      );
  } else if (file.resourceFieldRef) {
    validateFileResourceFieldRef(errors, file.resourceFieldRef, `${path}.resourceFieldRef`);
  } else {
    errors.push(fieldRequired(path, "one of fieldRef and resourceFieldRef is required"));
  }
  validateFileMode(errors, file.mode, `${path}.mode`);
}
