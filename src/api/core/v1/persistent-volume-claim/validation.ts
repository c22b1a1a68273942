import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isQualifiedName,
} from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { describeDifference } from "../../../validation/difference.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import { type FieldErrors, semanticallyEqual, validateImmutable } from "../../../validation/values.ts";
import { classAnnotation } from "../persistent-volume/class.ts";
import { validateClaimSpec } from "./spec.ts";

type Claim = corev1.PersistentVolumeClaim;

export function validateClaim({ spec = {} }: Claim): FieldError[] {
  const errors: FieldErrors = [];
  validateClaimSpec(errors, spec, "spec");
  return errors;
}

/** A claim keeps what it asks for: only a bound one may ask for more, or for other attributes. */
export function validateClaimUpdate(claim: Claim, old: Claim): FieldError[] {
  const errors: FieldErrors = [];
  const spec = claim.spec ?? {};
  const oldSpec = old.spec ?? {};
  const [comparable, oldComparable] = comparableSpecs(claim, old);
  if (!upgradesFromAnnotation(claim, old))
    validateImmutable(
      errors,
      claim.metadata.annotations?.[classAnnotation],
      old.metadata.annotations?.[classAnnotation],
      `metadata.annotations[${classAnnotation}]`,
    );
  if (!semanticallyEqual(comparable, oldComparable))
    errors.push(
      fieldForbidden(
        "spec",
        `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${describeDifference(oldComparable, comparable)}`,
      ),
    );
  validateSize(errors, spec, old);
  validateImmutable(errors, spec.volumeMode, oldSpec.volumeMode, "volumeMode");
  validateAttributesClass(errors, spec.volumeAttributesClassName, old);
  return errors;
}

/** The two specs without what may change. */
function comparableSpecs(claim: Claim, old: Claim) {
  const spec = { ...claim.spec };
  const oldSpec = { ...old.spec };
  // Once, by whoever binds it.
  if (!oldSpec.volumeName) oldSpec.volumeName = spec.volumeName;
  if (upgradesFromAnnotation(claim, old)) delete spec.storageClassName;
  else if (upgradesFromNone(claim, old)) oldSpec.storageClassName = spec.storageClassName;
  if (old.status?.phase === "Bound") {
    if (spec.resources?.requests)
      spec.resources = {
        ...spec.resources,
        requests: { ...spec.resources.requests, storage: oldSpec.resources?.requests?.storage ?? "" },
      };
    spec.volumeAttributesClassName = oldSpec.volumeAttributesClassName;
  }
  return [spec, oldSpec] as const;
}

/** The class goes from the annotation of old to its field. */
function upgradesFromAnnotation({ metadata, spec }: Claim, old: Claim): boolean {
  const annotated = old.metadata.annotations?.[classAnnotation];
  const now = metadata.annotations?.[classAnnotation];
  return (
    annotated !== undefined &&
    old.spec?.storageClassName === undefined &&
    spec?.storageClassName === annotated &&
    (now === undefined || now === annotated)
  );
}

/** A claim that named no class gets one, as the default class does it. */
function upgradesFromNone({ spec }: Claim, old: Claim): boolean {
  const annotated = old.metadata.annotations?.[classAnnotation];
  return (
    spec?.storageClassName !== undefined &&
    old.spec?.storageClassName === undefined &&
    (annotated === undefined || annotated === spec.storageClassName)
  );
}

function validateSize(errors: FieldErrors, spec: corev1.PersistentVolumeClaimSpec, old: Claim): void {
  const size = quantityOf(spec.resources?.requests?.storage ?? "0");
  const oldSize = quantityOf(old.spec?.resources?.requests?.storage ?? "0");
  const present = quantityOf(old.status?.capacity?.storage ?? "0");
  // An expansion that cannot be done may be taken back, but nothing is made smaller.
  if (size.compare(oldSize) < 0 && size.compare(present) <= 0)
    errors.push(
      fieldForbidden("spec.resources.requests.storage", "field can not be less than status.capacity"),
    );
}

function validateAttributesClass(errors: FieldErrors, name: string | undefined, old: Claim): void {
  if ((name ?? "") === (old.spec?.volumeAttributesClassName ?? "")) return;
  if (old.status?.currentVolumeAttributesClassName === undefined || name) return;
  const what = name === undefined ? "nil" : "empty string";
  errors.push(
    fieldForbidden(
      "spec.volumeAttributesClassName",
      `update to ${what} is forbidden when status.currentVolumeAttributesClassName is not nil`,
    ),
  );
}

/** As upstream lists them in errors. */
const resizeStatuses = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
].sort();

export function validateClaimStatus(claim: Claim): FieldError[] {
  const errors: FieldErrors = [];
  const { allocatedResources = {}, allocatedResourceStatuses = {}, capacity = {} } = claim.status ?? {};
  if (!claim.spec?.accessModes?.length) errors.push(fieldRequired("Spec.accessModes"));
  for (const name in capacity) validateAmount(errors, capacity[name]!, `status.capacity[${name}]`);
  for (const name in allocatedResourceStatuses) {
    const at = "status.allocatedResourceStatuses";
    validateResourceName(errors, name, at);
    if (!resizeStatuses.includes(allocatedResourceStatuses[name]!))
      errors.push(fieldNotSupported(at, name, resizeStatuses));
  }
  for (const name in allocatedResources) {
    const before = errors.length;
    validateResourceName(errors, name, "status.allocatedResources");
    if (errors.length === before)
      validateAmount(errors, allocatedResources[name]!, `status.allocatedResources[${name}]`);
  }
  return errors;
}

function validateAmount(errors: FieldErrors, amount: string, path: string): void {
  const quantity = quantityOf(amount);
  if (quantity.sign < 0)
    errors.push(fieldInvalid(path, quantity.value(), "must be a valid resource quantity"));
}

/** Of Kubernetes' own resources, only storage. */
function validateResourceName(errors: FieldErrors, name: string, path: string): void {
  const messages = isQualifiedName(name);
  for (const message of messages) errors.push(fieldInvalid(path, name, message));
  const isNative = !name.includes("/") || name.includes("kubernetes.io/");
  if (messages.length === 0 && isNative && name !== "storage")
    errors.push(fieldNotSupported(path, name, ["storage"]));
}
