import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  type FieldError,
  fieldInvalid,
  fieldRequired,
  fieldTooLong,
  isConfigMapKey,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { base64BytesOf, dataBytesMax } from "../../validation/data.ts";
import { addInvalid, type FieldErrors, validateImmutable } from "../../validation/values.ts";
import { validateImmutableData } from "./config-map.ts";

/** Counterpart upstream: `pkg/registry/core/secret`. */
export const secret: Kind<corev1.Secret> = {
  group: "",
  version: "v1",
  kind: "Secret",
  resource: "secrets",
  singular: "secret",
  shortNames: [],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.Secret",
  hasStatus: false,
  columns: [
    nameColumn,
    column<corev1.Secret>("Type", "string", "What it is for.", ({ type }) => type ?? ""),
    column<corev1.Secret>(
      "Data",
      "string",
      "How many keys it has.",
      ({ data }) => Object.keys(data ?? {}).length,
    ),
    ageColumn,
  ] as Kind<corev1.Secret>["columns"],
  selectableFields: ({ type }) => ({ type: type ?? "" }),
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.type ||= "Opaque";
      encodeStringData(object);
    },
    validate: validateSecret,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(errors, object.type, old.type, "type");
      if (old.immutable) errors.push(...validateImmutableData(object, old, ["data"]));
      return errors;
    },
    warnings: (object) => (object.type === "kubernetes.io/tls" ? keyPairProblems(object.data ?? {}) : []),
  },
};

/** `stringData` can only be written: it goes into `data`, and wins there. */
function encodeStringData(object: corev1.Secret): void {
  const { stringData } = object;
  if (!stringData) return;
  object.data ??= {};
  for (const key in stringData) object.data[key] = Buffer.from(stringData[key]!).toString("base64");
  delete object.stringData;
}

function validateSecret({ data = {}, type, metadata }: corev1.Secret): FieldError[] {
  const errors: FieldErrors = [];
  let bytes = 0;
  for (const key in data) {
    addInvalid(errors, key, isConfigMapKey(key), `data[${key}]`);
    bytes += base64BytesOf(data[key]!);
  }
  if (bytes > dataBytesMax) errors.push(fieldTooLong("data", dataBytesMax));
  const require = (...keys: string[]) => {
    for (const key of keys) if (data[key] === undefined) errors.push(fieldRequired(`data[${key}]`));
  };
  switch (type) {
    case "kubernetes.io/service-account-token":
      if (!metadata.annotations?.["kubernetes.io/service-account.name"])
        errors.push(fieldRequired("metadata.annotations[kubernetes.io/service-account.name]"));
      break;
    case "kubernetes.io/dockercfg":
      validateJson(errors, data, ".dockercfg");
      break;
    case "kubernetes.io/dockerconfigjson":
      validateJson(errors, data, ".dockerconfigjson");
      break;
    case "kubernetes.io/basic-auth":
      if (data.username === undefined && data.password === undefined) require("username", "password");
      break;
    case "kubernetes.io/ssh-auth":
      if (!data["ssh-privatekey"]) errors.push(fieldRequired("data[ssh-privatekey]"));
      break;
    case "kubernetes.io/tls":
      require("tls.crt", "tls.key");
      break;
    default:
      break;
  }
  return errors;
}

/** Must be an object in JSON. What is wrong is not said with a piece of the secret. */
function validateJson(errors: FieldErrors, data: Readonly<Record<string, string>>, key: string): void {
  if (data[key] === undefined) {
    errors.push(fieldRequired(`data[${key}]`));
    return;
  }
  const redacted = "<secret contents redacted>";
  try {
    const value: unknown = JSON.parse(Buffer.from(data[key], "base64").toString());
    if (typeof value !== "object" || Array.isArray(value))
      errors.push(fieldInvalid(`data[${key}]`, redacted, "json: cannot unmarshal a value that is no object"));
  } catch {
    errors.push(fieldInvalid(`data[${key}]`, redacted, "invalid JSON"));
  }
}

/** Whether certificate and key of a TLS secret belong together; only a warning, as upstream. */
function keyPairProblems(data: Readonly<Record<string, string>>): string[] {
  const pem = (key: string) => Buffer.from(data[key] ?? "", "base64");
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem("tls.crt"));
  } catch {
    return ["tls: failed to find any PEM data in certificate input"];
  }
  try {
    const key = createPrivateKey(pem("tls.key"));
    return certificate.checkPrivateKey(key) ? [] : ["tls: private key does not match public key"];
  } catch {
    return ["tls: failed to find any PEM data in key input"];
  }
}
