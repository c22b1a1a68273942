import {
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  isDnsLabel,
  isDnsSubdomain,
} from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import { addInvalid, type FieldErrors } from "../../../validation/values.ts";
import {
  initiatorLengthMax,
  isIscsiName,
  validateCsi,
  validateNetworkSource,
} from "../pod/validation/network-volumes.ts";
import { validateNoBacksteps } from "../pod/validation/paths.ts";
import { validateHostPath } from "../pod/validation/volumes.ts";

type VolumeSpec = corev1.PersistentVolumeSpec;

/** Every type of volume there is, in the order in which the first one wins. */
const sourceNames = [
  "hostPath",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "flocker",
  "nfs",
  "rbd",
  "quobyte",
  "cephfs",
  "iscsi",
  "cinder",
  "fc",
  "flexVolume",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "scaleIO",
  "local",
  "storageos",
  "csi",
] as const satisfies readonly (keyof VolumeSpec)[];

type SourceName = (typeof sourceNames)[number];

/** What of a spec says where the data is. */
export const sourcesOf = (spec: VolumeSpec): Pick<VolumeSpec, SourceName> =>
  Object.fromEntries(sourceNames.filter((name) => spec[name]).map((name) => [name, spec[name]]));

/** The name of the volume's type, as its field has it. */
export const volumeSourceName = (spec: VolumeSpec): SourceName | undefined =>
  sourceNames.find((name) => spec[name]);

/** Of before `spec.mountOptions`. */
export const mountOptionsAnnotation = "volume.beta.kubernetes.io/mount-options";

const mountable: ReadonlySet<SourceName> = new Set<SourceName>([
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "glusterfs",
  "nfs",
  "rbd",
  "quobyte",
  "iscsi",
  "cinder",
  "cephfs",
  "azureFile",
  "vsphereVolume",
  "azureDisk",
  "photonPersistentDisk",
]);

export const takesMountOptions = (spec: VolumeSpec) =>
  sourceNames.some((name) => spec[name] && mountable.has(name));

export function validateVolumeSources(errors: FieldErrors, spec: VolumeSpec, volumeName: string): void {
  let first: SourceName | undefined;
  for (const name of sourceNames) {
    if (!spec[name]) continue;
    if (first) {
      // A slip in upstream's path.
      const at = name === "cephfs" ? "spec.cephFS" : `spec.${name}`;
      errors.push(fieldForbidden(at, "may not specify more than 1 volume type"));
      continue;
    }
    first = name;
    const check = checks[name] ?? ((list: FieldErrors) => validateShared(list, name, spec, volumeName));
    check(errors, spec, `spec.${name}`, volumeName);
  }
  if (!first) errors.push(fieldRequired("spec", "must specify a volume type"));
}

/** Sources that a pod's volume has in the same form. */
function validateShared(errors: FieldErrors, source: SourceName, spec: VolumeSpec, volumeName: string): void {
  const volume = { name: volumeName, [source]: spec[source] } as unknown as corev1.Volume;
  validateNetworkSource(errors, source, volume, "spec");
}

type Check = (errors: FieldErrors, spec: VolumeSpec, path: string, volumeName: string) => void;

/** Those that differ from a pod's, since what they refer to may be in any namespace. */
const checks: Partial<Record<SourceName, Check>> = {
  hostPath: (errors, { hostPath }, path) => validateHostPath(errors, hostPath!, path),
  local: (errors, { local, nodeAffinity }, path) => {
    if (!local!.path) errors.push(fieldRequired(`${path}.path`));
    else validateNoBacksteps(errors, local!.path, `${path}.path`);
    if (!nodeAffinity) errors.push(fieldRequired("spec.nodeAffinity", "Local volume requires node affinity"));
  },
  glusterfs: (errors, spec, path, volumeName) => {
    validateShared(errors, "glusterfs", spec, volumeName);
    const { endpointsNamespace } = spec.glusterfs!;
    const at = `${path}.endpointsNamespace`;
    if (endpointsNamespace === "") {
      const detail = "if the endpointnamespace is set, it must be a valid namespace name";
      errors.push(fieldInvalid(at, "", detail));
    } else if (endpointsNamespace !== undefined)
      addInvalid(errors, endpointsNamespace, isDnsLabel(endpointsNamespace), at);
  },
  cinder: (errors, { cinder }, path) => {
    if (!cinder!.volumeID) errors.push(fieldRequired(`${path}.volumeID`));
    validateSecretIsNamed(errors, cinder!.secretRef, path);
  },
  azureFile: (errors, spec, path, volumeName) => {
    validateShared(errors, "azureFile", spec, volumeName);
    if (spec.azureFile!.secretNamespace === "") errors.push(fieldRequired(`${path}.secretNamespace`));
  },
  storageos: (errors, spec, path, volumeName) => {
    const { secretRef, ...rest } = spec.storageos!;
    validateShared(errors, "storageos", { storageos: rest }, volumeName);
    validateSecretIsNamed(errors, secretRef, path);
  },
  iscsi: validateIscsi,
  csi: validateCsiVolume,
};

function validateSecretIsNamed(
  errors: FieldErrors,
  ref: { name?: string; namespace?: string } | undefined,
  path: string,
): void {
  if (!ref) return;
  if (!ref.name) errors.push(fieldRequired(`${path}.secretRef.name`));
  if (!ref.namespace) errors.push(fieldRequired(`${path}.secretRef.namespace`));
}

function validateIscsi(errors: FieldErrors, { iscsi }: VolumeSpec, path: string, volumeName: string): void {
  const { iqn, lun = 0, targetPortal = "", initiatorName, secretRef } = iscsi!;
  if (!targetPortal) errors.push(fieldRequired(`${path}.targetPortal`));
  if (initiatorName !== undefined && `${volumeName}:${targetPortal}`.length > initiatorLengthMax)
    errors.push(
      fieldInvalid(
        `${path}.targetportal`,
        targetPortal,
        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
      ),
    );
  if (!iqn) errors.push(fieldRequired(`${path}.iqn`));
  else if (!isIscsiName(iqn)) errors.push(fieldInvalid(`${path}.iqn`, iqn, "must be valid format"));
  if (lun < 0 || lun > 255)
    errors.push(fieldInvalid(`${path}.lun`, lun, "must be between 0 and 255, inclusive"));
  if ((iscsi!.chapAuthDiscovery || iscsi!.chapAuthSession) && !secretRef)
    errors.push(fieldRequired(`${path}.secretRef`));
  if (secretRef && !secretRef.name) errors.push(fieldRequired(`${path}.secretRef.name`));
  if (initiatorName !== undefined && !isIscsiName(initiatorName))
    errors.push(fieldInvalid(`${path}.initiatorname`, initiatorName, "must be valid format"));
}

const csiSecrets = [
  "controllerPublishSecretRef",
  "controllerExpandSecretRef",
  "nodePublishSecretRef",
  "nodeExpandSecretRef",
] as const;

function validateCsiVolume(errors: FieldErrors, { csi }: VolumeSpec, path: string): void {
  validateCsi(errors, { driver: csi!.driver }, path);
  if (!csi!.volumeHandle) errors.push(fieldRequired(`${path}.volumeHandle`));
  for (const field of csiSecrets) {
    const ref = csi![field];
    if (!ref) continue;
    const { name, namespace } = ref;
    if (!name) errors.push(fieldRequired(`${path}.${field}.name`));
    else addInvalid(errors, name, isDnsSubdomain(name), `${path}.${field}.name`);
    if (!namespace) errors.push(fieldRequired(`${path}.${field}.namespace`));
    else addInvalid(errors, namespace, isDnsLabel(namespace), `${path}.${field}.namespace`);
  }
}
