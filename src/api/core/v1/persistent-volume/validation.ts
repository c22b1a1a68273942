import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isDnsSubdomain,
} from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { describeDifference } from "../../../validation/difference.ts";
import { quantityOf } from "../../../validation/quantities.ts";
import {
  addInvalid,
  type FieldErrors,
  semanticallyEqual,
  validateImmutable,
} from "../../../validation/values.ts";
import { validateNodeSelector } from "../pod/validation/affinity.ts";
import { validateAccessModes, volumeModes } from "./access-modes.ts";
import { mountOptionsAnnotation, sourcesOf, takesMountOptions, validateVolumeSources } from "./sources.ts";

type VolumeSpec = corev1.PersistentVolumeSpec;

const reclaimPolicies = ["Delete", "Recycle", "Retain"];

/** A persistent volume, new or changed. */
export function validatePersistentVolume({ metadata, spec = {} }: corev1.PersistentVolume): FieldErrors {
  const errors: FieldErrors = [];
  validateVolumeSpec(errors, spec, metadata.name ?? "");
  if (metadata.annotations?.[mountOptionsAnnotation] !== undefined && !takesMountOptions(spec))
    errors.push(
      fieldForbidden(
        `metadata.annotations.${mountOptionsAnnotation}`,
        "may not specify mount options for this volume type",
      ),
    );
  return errors;
}

function validateVolumeSpec(errors: FieldErrors, spec: VolumeSpec, name: string): void {
  if (!spec.accessModes?.length) errors.push(fieldRequired("spec.accessModes"));
  validateAccessModes(errors, spec.accessModes ?? [], "spec.accessModes");
  validateCapacity(errors, spec.capacity ?? {});
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy && !reclaimPolicies.includes(policy))
    errors.push(fieldNotSupported("spec.persistentVolumeReclaimPolicy", policy, reclaimPolicies));
  if (spec.nodeAffinity) {
    const { required } = spec.nodeAffinity;
    if (required) validateNodeSelector(errors, required, "spec.nodeAffinity.required");
    else errors.push(fieldRequired("spec.nodeAffinity.required", "must specify required node constraints"));
  }
  validateVolumeSources(errors, spec, name);
  if (policy === "Recycle" && spec.hostPath && isRoot(spec.hostPath.path))
    errors.push(
      fieldForbidden(
        "spec.persistentVolumeReclaimPolicy",
        "may not be 'recycle' for a hostPath mount of '/'",
      ),
    );
  const { storageClassName, volumeAttributesClassName, volumeMode } = spec;
  if (storageClassName)
    addInvalid(errors, storageClassName, isDnsSubdomain(storageClassName), "spec.storageClassName");
  if (volumeMode !== undefined && !volumeModes.includes(volumeMode))
    errors.push(fieldNotSupported("spec.volumeMode", volumeMode, volumeModes));
  if (volumeAttributesClassName === undefined) return;
  const at = "spec.volumeAttributesClassName";
  if (volumeAttributesClassName === "") errors.push(fieldRequired(at, "an empty string is disallowed"));
  else addInvalid(errors, volumeAttributesClassName, isDnsSubdomain(volumeAttributesClassName), at);
  if (!spec.csi)
    errors.push(fieldRequired("spec.csi", "has to be specified when using volumeAttributesClassName"));
}

function validateCapacity(errors: FieldErrors, capacity: Readonly<Record<string, string>>): void {
  const names = Object.keys(capacity);
  if (names.length === 0) errors.push(fieldRequired("spec.capacity"));
  if (names.length !== 1 || names[0] !== "storage")
    errors.push(fieldNotSupported("spec.capacity", capacity, ["storage"]));
  for (const name of names) {
    const quantity = quantityOf(capacity[name]!);
    const at = `spec.capacity[${name}]`;
    if (quantity.sign < 0)
      errors.push(fieldInvalid(at, quantity.value(), "must be a valid resource quantity"));
    if (quantity.sign <= 0) errors.push(fieldInvalid(at, capacity[name], "must be greater than zero"));
  }
}

const isRoot = (path: string) => path.split("/").every((part) => part === "" || part === ".");

/** Where its data is stays; who has claimed it, and what may become of it, may change. */
export function validatePersistentVolumeUpdate(
  { spec = {} }: corev1.PersistentVolume,
  { spec: old = {} }: corev1.PersistentVolume,
): FieldErrors {
  const errors: FieldErrors = [];
  const [sources, oldSources] = [sourcesOf(spec), sourcesOf(old)];
  // A secret for expanding may be named later.
  if (oldSources.csi && !oldSources.csi.controllerExpandSecretRef && sources.csi) {
    const { controllerExpandSecretRef: _, ...csi } = sources.csi;
    sources.csi = csi;
  }
  if (!semanticallyEqual(sources, oldSources))
    errors.push(
      fieldForbidden(
        "spec.persistentvolumesource",
        `spec.persistentvolumesource is immutable after creation\n${describeDifference(oldSources, sources)}`,
      ),
    );
  validateImmutable(errors, spec.volumeMode, old.volumeMode, "volumeMode");
  if (
    old.nodeAffinity &&
    !semanticallyEqual(withNewLabels(spec.nodeAffinity), withNewLabels(old.nodeAffinity))
  )
    errors.push(
      fieldInvalid(
        "nodeAffinity",
        spec.nodeAffinity,
        "field is immutable, except for updating from beta label to GA",
      ),
    );
  if (old.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined)
    errors.push(
      fieldForbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"),
    );
  return errors;
}

const newLabels: ReadonlyMap<string, string> = new Map([
  ["failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"],
  ["failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"],
  ["beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"],
  ["beta.kubernetes.io/os", "kubernetes.io/os"],
  ["beta.kubernetes.io/arch", "kubernetes.io/arch"],
]);

/** The affinity as it reads in the labels that took the place of others. */
function withNewLabels(affinity: corev1.VolumeNodeAffinity | undefined): unknown {
  return affinity?.required?.nodeSelectorTerms.map(({ matchExpressions, matchFields }) => ({
    matchExpressions: matchExpressions?.map((each) => ({
      ...each,
      key: newLabels.get(each.key) ?? each.key,
    })),
    matchFields,
  }));
}
