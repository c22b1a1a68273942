import { type FieldError, fieldInvalid, fieldRequired, fieldTooLong } from "../../../machinery/index.ts";
import { validateQualifiedName } from "../../validation/values.ts";

/** A class is not where data is kept. */
const parametersMax = 512;
const parameterBytesMax = 256 * 1024;

/** Who makes the volumes of a class. */
export function validateProvisioner(errors: FieldError[], name: string, path: string): void {
  if (!name) errors.push(fieldRequired(path));
  else validateQualifiedName(errors, name.toLowerCase(), path);
}

export function validateParameters(
  errors: FieldError[],
  parameters: Readonly<Record<string, string>> = {},
  path: string,
): void {
  const entries = Object.entries(parameters);
  if (entries.length > parametersMax) {
    errors.push(fieldTooLong(path, parametersMax));
    return;
  }
  let bytes = 0;
  for (const [key, value] of entries) {
    if (key === "") errors.push(fieldInvalid(path, key, "field can not be empty."));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > parameterBytesMax) errors.push(fieldTooLong(path, parameterBytesMax));
}
