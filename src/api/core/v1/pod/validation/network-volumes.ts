import {
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  isDnsSubdomain,
  outOfRange,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors, validateDnsLabel } from "../../../../validation/values.ts";
import { validateDescendingPath } from "./paths.ts";

/*
 * Volumes of other systems. No node here mounts most of them, but a manifest that has one is checked as
 * Kubernetes does.
 */

/** What must be there, by source; the rest of the checks are below. */
const requiredFields: Readonly<Record<string, readonly string[]>> = {
  gitRepo: ["repository"],
  gcePersistentDisk: ["pdName"],
  awsElasticBlockStore: ["volumeID"],
  nfs: ["server", "path"],
  iscsi: ["targetPortal", "iqn"],
  glusterfs: ["endpoints", "path"],
  rbd: ["monitors", "image"],
  cinder: ["volumeID"],
  cephfs: ["monitors"],
  flexVolume: ["driver"],
  azureFile: ["secretName", "shareName"],
  vsphereVolume: ["volumePath"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  azureDisk: ["diskName", "diskURI"],
  storageos: ["volumeName"],
  scaleIO: ["gateway", "system", "volumeName"],
  quobyte: ["volume"],
};

export function validateNetworkSource(
  errors: FieldErrors,
  name: string,
  volume: corev1.Volume,
  path: string,
): void {
  const source = (volume as unknown as Record<string, Record<string, unknown>>)[name]!;
  // A slip in upstream's path.
  const at = name === "gcePersistentDisk" ? `${path}.persistentDisk` : `${path}.${name}`;
  for (const field of requiredFields[name] ?? []) {
    const value = source[field];
    if (!value || (Array.isArray(value) && value.length === 0)) errors.push(fieldRequired(`${at}.${field}`));
  }
  checks[name]?.(errors, volume, at);
}

type Check = (errors: FieldErrors, volume: corev1.Volume, path: string) => void;

const validatePartition = (errors: FieldErrors, partition = 0, path: string) => {
  if (partition < 0 || partition > 255)
    errors.push(fieldInvalid(`${path}.partition`, partition, outOfRange(1, 255)));
};
const validateSecretRef = (errors: FieldErrors, ref: { name?: string } | undefined, path: string) => {
  if (ref && !ref.name) errors.push(fieldRequired(`${path}.secretRef.name`));
};
const validateLun = (errors: FieldErrors, lun: number, path: string) => {
  if (lun < 0 || lun > 255) errors.push(fieldInvalid(`${path}.lun`, lun, outOfRange(0, 255)));
};
const validateOneOf = (
  errors: FieldErrors,
  value: string | undefined,
  supported: readonly string[],
  path: string,
) => {
  if (value !== undefined && !supported.includes(value))
    errors.push(fieldNotSupported(path, value, supported));
};

const checks: Readonly<Record<string, Check>> = {
  gitRepo: (errors, { gitRepo }, path) => {
    validateDescendingPath(errors, gitRepo!.directory ?? "", `${path}.directory`);
  },
  gcePersistentDisk: (errors, { gcePersistentDisk }, path) => {
    validatePartition(errors, gcePersistentDisk!.partition, path);
  },
  awsElasticBlockStore: (errors, { awsElasticBlockStore }, path) => {
    validatePartition(errors, awsElasticBlockStore!.partition, path);
  },
  nfs: (errors, { nfs }, path) => {
    if (!nfs!.path?.startsWith("/"))
      errors.push(fieldInvalid(`${path}.path`, nfs!.path ?? "", "must be an absolute path"));
  },
  iscsi: validateIscsi,
  flocker: (errors, { flocker }, path) => {
    const { datasetName = "", datasetUUID = "" } = flocker!;
    if (!datasetName && !datasetUUID)
      errors.push(fieldRequired(path, "one of datasetName and datasetUUID is required"));
    if (datasetName && datasetUUID)
      errors.push(
        fieldInvalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"),
      );
    if (datasetName.includes("/"))
      errors.push(fieldInvalid(`${path}.datasetName`, datasetName, "must not contain '/'"));
  },
  cinder: (errors, { cinder }, path) => validateSecretRef(errors, cinder!.secretRef, path),
  quobyte: validateQuobyte,
  fc: validateFc,
  flexVolume: (errors, { flexVolume }, path) => {
    for (const key in flexVolume!.options) {
      const namespace = `.${key.split("/", 1)[0]!.toLowerCase()}`;
      if (namespace.endsWith(".kubernetes.io") || namespace.endsWith(".k8s.io"))
        errors.push(
          fieldInvalid(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"),
        );
    }
  },
  azureDisk: validateAzureDisk,
  storageos: (errors, { storageos }, path) => {
    const { volumeName, volumeNamespace, secretRef } = storageos!;
    if (volumeName) validateDnsLabel(errors, volumeName, `${path}.volumeName`);
    if (volumeNamespace) validateDnsLabel(errors, volumeNamespace, `${path}.volumeNamespace`);
    validateSecretRef(errors, secretRef, path);
  },
};

const iscsiNameFormats: Readonly<Record<string, RegExp>> = {
  iqn: /iqn\.\d{4}-\d{2}\.([a-zA-Z0-9\-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.([a-zA-Z0-9]{16})$/,
  naa: /^naa.([a-zA-Z0-9]{32})$/,
};
export const initiatorLengthMax = 64;

export const isIscsiName = (name: string) => iscsiNameFormats[name.slice(0, 3)]?.test(name) === true;

function validateIscsi(errors: FieldErrors, { name, iscsi }: corev1.Volume, path: string): void {
  const {
    iqn,
    lun,
    chapAuthDiscovery,
    chapAuthSession,
    secretRef,
    initiatorName,
    targetPortal = "",
  } = iscsi!;
  const validateName = (value: string, at: string) => {
    const pattern = iscsiNameFormats[value.slice(0, 3)];
    if (!pattern) errors.push(fieldInvalid(at, value, "must be valid format starting with iqn, eui, or naa"));
    else if (!pattern.test(value)) errors.push(fieldInvalid(at, value, "must be valid format"));
  };
  if (iqn) validateName(iqn, `${path}.iqn`);
  validateLun(errors, lun ?? 0, path);
  if ((chapAuthDiscovery || chapAuthSession) && !secretRef) errors.push(fieldRequired(`${path}.secretRef`));
  if (initiatorName === undefined) return;
  validateName(initiatorName, `${path}.initiatorname`);
  if (`${name}:${targetPortal}`.length > initiatorLengthMax)
    errors.push(
      fieldInvalid(
        `${path.slice(0, path.lastIndexOf("."))}.name`,
        name,
        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
      ),
    );
}

function validateQuobyte(errors: FieldErrors, { quobyte }: corev1.Volume, path: string): void {
  const { registry, tenant = "" } = quobyte!;
  const detail = "must be a host:port pair or multiple pairs separated by commas";
  if (!registry) {
    errors.push(fieldRequired(`${path}.registry`, detail));
  } else if (tenant.length >= 65) {
    errors.push(
      fieldRequired(`${path}.tenant`, "must be a UUID and may not exceed a length of 64 characters"),
    );
  } else {
    for (const pair of registry.split(","))
      if (!/^(\[[^\]]*\]|[^:]*):[^:]*$/.test(pair))
        errors.push(fieldInvalid(`${path}.registry`, registry, detail));
  }
}

function validateFc(errors: FieldErrors, { fc }: corev1.Volume, path: string): void {
  const { targetWWNs = [], wwids = [], lun } = fc!;
  const at = `${path}.targetWWNs`;
  if (targetWWNs.length === 0 && wwids.length === 0)
    errors.push(fieldRequired(at, "must specify either targetWWNs or wwids, but not both"));
  if (targetWWNs.length > 0 && wwids.length > 0)
    errors.push(fieldInvalid(at, targetWWNs, "targetWWNs and wwids can not be specified simultaneously"));
  if (targetWWNs.length === 0) return;
  if (lun === undefined)
    errors.push(fieldRequired(`${path}.lun`, "lun is required if targetWWNs is specified"));
  else validateLun(errors, lun, path);
}

function validateAzureDisk(errors: FieldErrors, { azureDisk }: corev1.Volume, path: string): void {
  const { cachingMode, kind, diskURI = "" } = azureDisk!;
  validateOneOf(errors, cachingMode, ["None", "ReadOnly", "ReadWrite"], `${path}.cachingMode`);
  validateOneOf(errors, kind, ["Dedicated", "Managed", "Shared"], `${path}.kind`);
  if (kind === undefined) return;
  if (kind === "Managed" && !diskURI.startsWith("/subscriptions/"))
    errors.push(
      fieldNotSupported(`${path}.diskURI`, diskURI, [
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
      ]),
    );
  if (kind !== "Managed" && !diskURI.startsWith("https://"))
    errors.push(
      fieldNotSupported(`${path}.diskURI`, diskURI, [
        "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
      ]),
    );
}

const csiDriverLengthMax = 63;

export function validateCsi(
  errors: FieldErrors,
  { driver, nodePublishSecretRef }: corev1.CSIVolumeSource,
  path: string,
): void {
  if (!driver) errors.push(fieldRequired(`${path}.driver`));
  else {
    if (driver.length > csiDriverLengthMax) errors.push(fieldTooLong(`${path}.driver`, csiDriverLengthMax));
    addInvalid(errors, driver, isDnsSubdomain(driver.toLowerCase()), `${path}.driver`);
  }
  if (!nodePublishSecretRef) return;
  const { name } = nodePublishSecretRef;
  if (!name) errors.push(fieldRequired(`${path}.nodePublishSecretRef.name`));
  else addInvalid(errors, name, isDnsSubdomain(name), `${path}.name`);
}
