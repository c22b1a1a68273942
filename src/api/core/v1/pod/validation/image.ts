import { fieldInvalid, fieldNotSupported, fieldRequired } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";
import type { AnyContainer } from "./context.ts";

/** Only that there is one: whether it can be a reference at all is found out when it is pulled (`InvalidImageName`). */
export function validateImage(errors: FieldErrors, { image }: AnyContainer, path: string): void {
  if (!image) errors.push(fieldRequired(`${path}.image`));
}

/** A template may say `" "`, which some controllers replace; a Pod may not. */
export function validateImageOfPod(errors: FieldErrors, image = "", path: string): void {
  if (image.length !== image.trim().length)
    errors.push(fieldInvalid(path, image, "must not have leading or trailing whitespace"));
}

export const validateEphemeralImage = (
  errors: FieldErrors,
  { image }: corev1.EphemeralContainer,
  path: string,
) => validateImageOfPod(errors, image, `${path}.image`);

export function validatePullPolicy(errors: FieldErrors, policy: string | undefined, path: string): void {
  if (policy === "Always" || policy === "IfNotPresent" || policy === "Never") return;
  if (!policy) errors.push(fieldRequired(path));
  else errors.push(fieldNotSupported(path, policy, ["Always", "IfNotPresent", "Never"]));
}
