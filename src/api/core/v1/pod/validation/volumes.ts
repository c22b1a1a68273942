import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isDnsSubdomain,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { quantityOf } from "../../../../validation/quantities.ts";
import { type FieldErrors, validateDnsLabel } from "../../../../validation/values.ts";
import { validateClaimTemplate } from "../../persistent-volume-claim/template.ts";
import type { SpecContext } from "./context.ts";
import { validatePullPolicy } from "./image.ts";
import { validateCsi, validateNetworkSource } from "./network-volumes.ts";
import { validateFileMode, validateNoBacksteps } from "./paths.ts";
import { validateProjected } from "./projected.ts";
import { validateDownwardFile, validateKeyToPath } from "./volume-files.ts";

type Owner = SpecContext["owner"];
type SourceName = Exclude<keyof corev1.Volume, "name">;

/** Every source there is, in the order in which the first one wins. */
const sourceNames: readonly SourceName[] = [
  "emptyDir",
  "hostPath",
  "gitRepo",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "secret",
  "nfs",
  "iscsi",
  "glusterfs",
  "flocker",
  "persistentVolumeClaim",
  "rbd",
  "cinder",
  "cephfs",
  "quobyte",
  "downwardAPI",
  "fc",
  "flexVolume",
  "configMap",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "storageos",
  "projected",
  "scaleIO",
  "csi",
  "ephemeral",
  "image",
];

/** The source a volume has; the first, if it wrongly has several. */
export const sourceOf = (volume: corev1.Volume): SourceName | undefined =>
  sourceNames.find((name) => volume[name]);

/** Returns the volumes that are well formed: only they can be mounted. */
export function validateVolumes(
  errors: FieldErrors,
  volumes: readonly corev1.Volume[] | undefined,
  owner: Owner,
  path: string,
): Map<string, corev1.Volume> {
  const valid = new Map<string, corev1.Volume>();
  if (!volumes) return valid;
  const madeClaims = new Set<string>();
  for (const volume of volumes) {
    if (volume.ephemeral && owner.kind === "Pod") madeClaims.add(`${owner.name}-${volume.name}`);
  }
  volumes.forEach((volume, i) => {
    const at = `${path}[${i}]`;
    const before = errors.length;
    validateVolume(errors, volume, owner, at);
    if (!volume.name) errors.push(fieldRequired(`${at}.name`));
    else validateDnsLabel(errors, volume.name, `${at}.name`);
    if (valid.has(volume.name)) errors.push(fieldDuplicate(`${at}.name`, volume.name));
    if (errors.length === before) valid.set(volume.name, volume);
    const claimName = volume.persistentVolumeClaim?.claimName;
    if (claimName !== undefined && madeClaims.has(claimName))
      errors.push(
        fieldInvalid(
          `${at}.persistentVolumeClaim.claimName`,
          claimName,
          "must not reference a PVC that gets created for an ephemeral volume",
        ),
      );
  });
  return valid;
}

function validateVolume(errors: FieldErrors, volume: corev1.Volume, owner: Owner, path: string): void {
  let first: SourceName | undefined;
  for (const name of sourceNames) {
    if (!volume[name]) continue;
    if (first) {
      errors.push(fieldForbidden(`${path}.${pathName(name)}`, "may not specify more than 1 volume type"));
      continue;
    }
    first = name;
    validateSource(errors, name, volume, owner, path);
  }
  if (!first) errors.push(fieldRequired(path, "must specify a volume type"));
}

/** Two paths upstream has a slip in, which clients see. */
const pathName = (name: SourceName) =>
  name === "downwardAPI" ? "downwarAPI" : name === "cephfs" ? "cephFS" : name;

function validateSource(
  errors: FieldErrors,
  name: SourceName,
  volume: corev1.Volume,
  owner: Owner,
  path: string,
): void {
  const at = `${path}.${name}`;
  switch (name) {
    case "emptyDir":
      validateEmptyDir(errors, volume.emptyDir!, at);
      return;
    case "hostPath":
      validateHostPath(errors, volume.hostPath!, at);
      return;
    case "secret":
      validateKeys(errors, { nameField: "secretName", name: volume.secret!.secretName }, volume.secret!, at);
      return;
    case "configMap":
      validateKeys(errors, { nameField: "name", name: volume.configMap!.name }, volume.configMap!, at);
      return;
    case "downwardAPI":
      validateDownwardAPI(errors, volume.downwardAPI!, at);
      return;
    case "projected":
      validateProjected(errors, volume.projected!, at);
      return;
    case "persistentVolumeClaim":
      if (!volume.persistentVolumeClaim!.claimName) errors.push(fieldRequired(`${at}.claimName`));
      return;
    case "ephemeral":
      validateEphemeral(errors, volume, owner, path);
      return;
    case "csi":
      validateCsi(errors, volume.csi!, at);
      return;
    case "image":
      if (owner.kind === "Pod" && !volume.image!.reference) errors.push(fieldRequired(`${at}.reference`));
      validatePullPolicy(errors, volume.image!.pullPolicy, `${at}.pullPolicy`);
      return;
    default:
      validateNetworkSource(errors, name, volume, path);
      return;
  }
}

function validateEmptyDir(
  errors: FieldErrors,
  { sizeLimit }: corev1.EmptyDirVolumeSource,
  path: string,
): void {
  if (sizeLimit !== undefined && quantityOf(sizeLimit).sign < 0)
    errors.push(fieldForbidden(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity"));
}

const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

export function validateHostPath(
  errors: FieldErrors,
  { path: hostPath, type }: corev1.HostPathVolumeSource,
  path: string,
): void {
  if (!hostPath) {
    errors.push(fieldRequired(`${path}.path`));
    return;
  }
  validateNoBacksteps(errors, hostPath, `${path}.path`);
  if (type !== undefined && !hostPathTypes.includes(type))
    errors.push(fieldNotSupported(`${path}.type`, type, hostPathTypes));
}

interface KeyedSource {
  defaultMode?: number;
  items?: corev1.KeyToPath[];
}

function validateKeys(
  errors: FieldErrors,
  { nameField, name }: { nameField: string; name: string | undefined },
  { defaultMode, items }: KeyedSource,
  path: string,
): void {
  if (!name) errors.push(fieldRequired(`${path}.${nameField}`));
  validateFileMode(errors, defaultMode, `${path}.defaultMode`);
  items?.forEach((item, i) => {
    validateKeyToPath(errors, item, `${path}.items[${i}]`);
  });
}

function validateDownwardAPI(
  errors: FieldErrors,
  { defaultMode, items }: corev1.DownwardAPIVolumeSource,
  path: string,
): void {
  validateFileMode(errors, defaultMode, `${path}.defaultMode`);
  // Upstream's paths have no index here.
  for (const file of items ?? []) validateDownwardFile(errors, file, path);
}

function validateEphemeral(
  errors: FieldErrors,
  { name, ephemeral }: corev1.Volume,
  owner: Owner,
  path: string,
): void {
  const at = `${path}.ephemeral.volumeClaimTemplate`;
  if (!ephemeral!.volumeClaimTemplate) errors.push(fieldRequired(at));
  else validateClaimTemplate(errors, ephemeral!.volumeClaimTemplate, at);
  if (owner.kind !== "Pod" || !owner.name || !name) return;
  const claimName = `${owner.name}-${name}`;
  for (const message of isDnsSubdomain(claimName))
    errors.push(fieldInvalid(`${path}.name`, name, `PVC name ${JSON.stringify(claimName)}: ${message}`));
}
