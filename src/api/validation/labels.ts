import {
  validateAnnotations as annotationErrors,
  isQualifiedName,
  type LabelSelector,
  validateLabels as labelErrors,
  validateLabelSelector as selectorErrors,
} from "../../machinery/index.ts";
import { addInvalid, type FieldErrors } from "./values.ts";

/** The key of a label. */
export const validateLabelKey = (errors: FieldErrors, key: string, path: string) =>
  addInvalid(errors, key, isQualifiedName(key), path);

type Texts = Readonly<Record<string, string>>;

export function validateLabels(errors: FieldErrors, labels: Texts | undefined, path: string): void {
  if (labels) errors.push(...labelErrors(labels, path));
}

export function validateAnnotations(errors: FieldErrors, annotations: Texts | undefined, path: string): void {
  if (annotations) errors.push(...annotationErrors(annotations, path));
}

export function validateLabelSelector(
  errors: FieldErrors,
  selector: LabelSelector | undefined,
  path: string,
): void {
  if (selector) errors.push(...selectorErrors(selector, path));
}
