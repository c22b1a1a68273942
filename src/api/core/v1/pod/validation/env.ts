import {
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  isConfigMapKey,
  isDnsSubdomain,
  isEnvVarName,
  isQualifiedName,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors, validateDnsLabel } from "../../../../validation/values.ts";
import { eachContainer, type SpecContext } from "./context.ts";
import { validateNoBacksteps } from "./paths.ts";

export function validateEnv(errors: FieldErrors, env: corev1.EnvVar[] | undefined, path: string): void {
  env?.forEach((variable, i) => {
    if (!variable.name) errors.push(fieldRequired(`${path}[${i}].name`));
    else addInvalid(errors, variable.name, isEnvVarName(variable.name), `${path}[${i}].name`);
    if (variable.valueFrom)
      validateEnvSource(errors, variable, variable.valueFrom, `${path}[${i}].valueFrom`);
  });
}

function validateEnvSource(
  errors: FieldErrors,
  { value }: corev1.EnvVar,
  source: corev1.EnvVarSource,
  path: string,
): void {
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  let count = 0;
  if (fieldRef) {
    count++;
    validateFieldRef(errors, fieldRef, envFieldPaths, `${path}.fieldRef`);
  }
  if (resourceFieldRef) {
    count++;
    validateResourceFieldRef(errors, resourceFieldRef, `${path}.resourceFieldRef`);
  }
  if (configMapKeyRef) {
    count++;
    validateKeyRef(errors, configMapKeyRef, `${path}.configMapKeyRef`);
  }
  if (secretKeyRef) {
    count++;
    validateKeyRef(errors, secretKeyRef, `${path}.secretKeyRef`);
  }
  if (fileKeyRef) {
    count++;
    validateFileKeyRef(errors, fileKeyRef, `${path}.fileKeyRef`);
  }
  if (count === 0)
    errors.push(
      fieldInvalid(
        path,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  else if (value) errors.push(fieldInvalid(path, "", "may not be specified when `value` is not empty"));
  else if (count > 1)
    errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
}

export function validateEnvFrom(
  errors: FieldErrors,
  sources: corev1.EnvFromSource[] | undefined,
  path: string,
): void {
  sources?.forEach(({ prefix, configMapRef, secretRef }, i) => {
    const at = `${path}[${i}]`;
    if (prefix) addInvalid(errors, prefix, isEnvVarName(prefix), `${at}.prefix`);
    if (configMapRef) validateReferenceName(errors, configMapRef.name, `${at}.configMapRef.name`);
    if (secretRef) validateReferenceName(errors, secretRef.name, `${at}.secretRef.name`);
    if (!configMapRef && !secretRef)
      errors.push(fieldInvalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (configMapRef && secretRef)
      errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
  });
}

function validateReferenceName(errors: FieldErrors, name: string | undefined, path: string): void {
  if (!name) errors.push(fieldRequired(path));
  // Part of a generated name: a trailing dash is fine.
  else addInvalid(errors, name, isDnsSubdomain(name.replace(/-$/, "a")), path);
}

function validateKeyRef(
  errors: FieldErrors,
  { name = "", key }: corev1.ConfigMapKeySelector | corev1.SecretKeySelector,
  path: string,
): void {
  addInvalid(errors, name, isDnsSubdomain(name), `${path}.name`);
  if (!key) errors.push(fieldRequired(`${path}.key`));
  else addInvalid(errors, key, isConfigMapKey(key), `${path}.key`);
}

function validateFileKeyRef(errors: FieldErrors, ref: corev1.FileKeySelector, path: string): void {
  if (!ref.key) errors.push(fieldRequired(`${path}.key`));
  else addInvalid(errors, ref.key, isEnvVarName(ref.key), `${path}.key`);
  if (!ref.volumeName) errors.push(fieldRequired(`${path}.volumeName`));
  else validateDnsLabel(errors, ref.volumeName, `${path}.volumeName`);
  if (!ref.path) errors.push(fieldRequired(`${path}.path`));
  else validateNoBacksteps(errors, ref.path, `${path}.path`);
}

/** A file of variables lies in an `emptyDir` of the pod. Checked last, over all containers. */
export function validateFileKeyVolumes(errors: FieldErrors, { spec }: SpecContext, path: string): void {
  eachContainer(spec, path, (container, at) => {
    container.env?.forEach(({ valueFrom }, i) => {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (name === undefined) return;
      const field = `${at}.env[${i}].valueFrom.fileKeyRef.volumeName`;
      const volume = spec.volumes?.find((candidate) => candidate.name === name);
      if (!volume) errors.push(fieldNotFound(field, name));
      else if (!volume.emptyDir)
        errors.push(fieldInvalid(field, name, "referenced volume must be of type emptyDir"));
    });
  });
}

const envFieldPaths: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

/** What a file of a downward API volume may show. */
export const fileFieldPaths: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
];

/** Fields that the downward API knows in one place or another. */
const knownFieldPaths = new Set([
  ...envFieldPaths,
  ...fileFieldPaths,
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);

const subscripted = /^(.+?)\['(.*)'\]$/;

export function validateFieldRef(
  errors: FieldErrors,
  { apiVersion, fieldPath }: corev1.ObjectFieldSelector,
  supported: readonly string[],
  path: string,
): void {
  if (!apiVersion) {
    errors.push(fieldRequired(`${path}.apiVersion`));
    return;
  }
  if (!fieldPath) {
    errors.push(fieldRequired(`${path}.fieldPath`));
    return;
  }
  const subscript = subscripted.exec(fieldPath);
  const problem = conversionProblem(apiVersion, fieldPath, subscript?.[1]);
  if (problem) {
    errors.push(fieldInvalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: ${problem}`));
  } else if (subscript) {
    const key = subscript[1] === "metadata.annotations" ? subscript[2]!.toLowerCase() : subscript[2]!;
    addInvalid(errors, key, isQualifiedName(key), path);
  } else {
    // The field's name before v1.
    const field = fieldPath === "spec.host" ? "spec.nodeName" : fieldPath;
    if (!supported.includes(field)) errors.push(fieldNotSupported(`${path}.fieldPath`, field, supported));
  }
}

function conversionProblem(
  apiVersion: string,
  fieldPath: string,
  mapPath: string | undefined,
): string | undefined {
  if (apiVersion !== "v1") return `unsupported pod version: ${apiVersion}`;
  if (mapPath !== undefined)
    return mapPath === "metadata.annotations" || mapPath === "metadata.labels"
      ? undefined
      : `field label does not support subscript: ${fieldPath}`;
  return knownFieldPaths.has(fieldPath) || fieldPath === "spec.host"
    ? undefined
    : `field label not supported: ${fieldPath}`;
}

const resourceFieldNames: readonly string[] = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const hugePagesField = /^(requests|limits)\.hugepages-/;
const byteDivisors = ["1", ..."kMGTPE"]
  .map((unit) => (unit === "1" ? unit : `1${unit}`))
  .concat([..."KMGTPE"].map((unit) => `1${unit}i`));

/** A variable shows its own container, so it need not name one. */
export function validateResourceFieldRef(
  errors: FieldErrors,
  { resource = "", divisor }: corev1.ResourceFieldSelector,
  path: string,
): void {
  if (!resource) errors.push(fieldRequired(`${path}.resource`));
  else if (!resourceFieldNames.includes(resource) && !hugePagesField.test(resource))
    errors.push(fieldNotSupported(`${path}.resource`, resource, resourceFieldNames));
  validateDivisor(errors, resource, divisor, path);
}

export function validateFileResourceFieldRef(
  errors: FieldErrors,
  ref: corev1.ResourceFieldSelector,
  path: string,
): void {
  if (ref.containerName) {
    validateResourceFieldRef(errors, ref, path);
    return;
  }
  errors.push(fieldRequired(`${path}.containerName`));
  validateDivisor(errors, ref.resource ?? "", ref.divisor, path);
}

function validateDivisor(
  errors: FieldErrors,
  resource: string,
  divisor: string | undefined,
  path: string,
): void {
  if (!divisor || divisor === "0") return;
  const name = resource.slice(resource.indexOf(".") + 1);
  if (name === "cpu") {
    if (divisor !== "1m" && divisor !== "1")
      errors.push(
        fieldInvalid(
          `${path}.divisor`,
          resource,
          "only divisor's values 1m and 1 are supported with the cpu resource",
        ),
      );
    return;
  }
  const shown = hugePagesField.test(resource)
    ? "hugepages"
    : name === "memory"
      ? "memory"
      : name === "ephemeral-storage"
        ? "local ephemeral storage"
        : undefined;
  if (shown && !byteDivisors.includes(divisor))
    errors.push(
      fieldInvalid(
        `${path}.divisor`,
        resource,
        `only divisor's values ${byteDivisors.join(", ")} are supported with the ${shown} resource`,
      ),
    );
}
