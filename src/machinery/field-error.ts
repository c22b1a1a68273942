import type { StatusCause } from "./status.ts";

/*
 * Validation errors, with the wording of `k8s.io/apimachinery/pkg/util/validation/field`:
 * users and tests match on it. Each is a StatusCause; a validator returns all it finds.
 */

export type FieldError = StatusCause & { reason: string; message: string; field: string };

const show = (value: unknown) => (value === undefined ? "null" : JSON.stringify(value));

export const fieldRequired = (field: string, detail = ""): FieldError => ({
  reason: "FieldValueRequired",
  message: detail ? `Required value: ${detail}` : "Required value",
  field,
});

export const fieldInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  message: `Invalid value: ${show(value)}${detail && `: ${detail}`}`,
  field,
});

export const fieldDuplicate = (field: string, value: unknown): FieldError => ({
  reason: "FieldValueDuplicate",
  message: `Duplicate value: ${show(value)}`,
  field,
});

export const fieldForbidden = (field: string, detail: string): FieldError => ({
  reason: "FieldValueForbidden",
  message: `Forbidden: ${detail}`,
  field,
});

export const fieldNotSupported = (
  field: string,
  value: unknown,
  supported: readonly string[],
): FieldError => ({
  reason: "FieldValueNotSupported",
  message: `Unsupported value: ${show(value)}: supported values: ${supported.map((s) => JSON.stringify(s)).join(", ")}`,
  field,
});

export const fieldTooLong = (field: string, lengthMax: number): FieldError => ({
  reason: "FieldValueTooLong",
  message: `Too long: may not be more than ${lengthMax} bytes`,
  field,
});

export const fieldTooMany = (field: string, count: number, countMax: number): FieldError => ({
  reason: "FieldValueTooMany",
  message: `Too many: ${count}: must have at most ${countMax} items`,
  field,
});

export const fieldNotFound = (field: string, value: unknown): FieldError => ({
  reason: "FieldValueNotFound",
  message: `Not found: ${show(value)}`,
  field,
});
