import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldTooLong,
  isConfigMapKey,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { base64BytesOf, dataBytesMax } from "../../validation/data.ts";
import { addInvalid, type FieldErrors, semanticallyEqual } from "../../validation/values.ts";

const countOf = (map: object | undefined) => Object.keys(map ?? {}).length;

/** Counterpart upstream: `pkg/registry/core/configmap`. */
export const configMap: Kind<corev1.ConfigMap> = {
  group: "",
  version: "v1",
  kind: "ConfigMap",
  resource: "configmaps",
  singular: "configmap",
  shortNames: ["cm"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.ConfigMap",
  hasStatus: false,
  columns: [
    nameColumn,
    column<corev1.ConfigMap>(
      "Data",
      "string",
      "How many keys it has.",
      ({ data, binaryData }) => countOf(data) + countOf(binaryData),
    ),
    ageColumn,
  ] as Kind<corev1.ConfigMap>["columns"],
  strategy: {
    tracksGeneration: false,
    validate: validateConfigMap,
    validateUpdate(object, old) {
      if (!old.immutable) return [];
      return validateImmutableData(object, old, ["data", "binaryData"]);
    },
  },
};

function validateConfigMap({ data, binaryData }: corev1.ConfigMap): FieldError[] {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const key in data) {
    addInvalid(errors, key, isConfigMapKey(key), `data[${key}]`);
    if (binaryData && Object.hasOwn(binaryData, key))
      errors.push(fieldInvalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    bytes += Buffer.byteLength(data[key]!);
  }
  for (const key in binaryData) {
    addInvalid(errors, key, isConfigMapKey(key), `binaryData[${key}]`);
    bytes += base64BytesOf(binaryData[key]!);
  }
  // Of the object as a whole.
  if (bytes > dataBytesMax) errors.push(fieldTooLong("", dataBytesMax));
  return errors;
}

/** Once `immutable` is set, it stays, and so do the fields. Also for Secrets. */
export function validateImmutableData<T extends { immutable?: boolean }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): FieldError[] {
  const detail = "field is immutable when `immutable` is set";
  const errors: FieldErrors = [];
  if (!object.immutable) errors.push(fieldForbidden("immutable", detail));
  for (const field of fields) {
    if (!semanticallyEqual(object[field], old[field])) errors.push(fieldForbidden(field, detail));
  }
  return errors;
}
