import { formatTime } from "../../../../machinery/index.ts";
import { ageColumn, column, nameColumn, wideColumn } from "../../../columns.ts";
import type { corev1 } from "../../../index.ts";
import type { Kind } from "../../../kind.ts";
import { termWarnings } from "../node/deprecated-labels.ts";
import { defaultNetworkSource } from "../pod/volume-defaults.ts";
import { shortAccessModes } from "./access-modes.ts";
import { classAnnotation, classOfVolume } from "./class.ts";
import { mountOptionsAnnotation, volumeSourceName } from "./sources.ts";
import { validatePersistentVolume, validatePersistentVolumeUpdate } from "./validation.ts";

type Volume = corev1.PersistentVolume;
type Columns = Kind<Volume>["columns"];

export const unset = "<unset>";

/** Counterpart upstream: `pkg/registry/core/persistentvolume`. */
export const persistentVolume: Kind<Volume> = {
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  resource: "persistentvolumes",
  singular: "persistentvolume",
  shortNames: ["pv"],
  categories: [],
  scope: "Cluster",
  schema: "core/v1.PersistentVolume",
  hasStatus: true,
  columns: [
    nameColumn,
    column<Volume>("Capacity", "string", "How much it holds.", ({ spec }) => spec?.capacity?.storage ?? "0"),
    column<Volume>("Access Modes", "string", "How it may be mounted.", ({ spec }) =>
      shortAccessModes(spec?.accessModes),
    ),
    column<Volume>(
      "Reclaim Policy",
      "string",
      "What becomes of it without its claim.",
      ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? "",
    ),
    column<Volume>("Status", "string", "Whether it is claimed.", ({ metadata, status }) =>
      metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
    ),
    column<Volume>("Claim", "string", "Who has claimed it.", ({ spec }) => {
      const { name, namespace } = spec?.claimRef ?? {};
      return spec?.claimRef ? `${namespace ?? ""}/${name ?? ""}` : "";
    }),
    column<Volume>("StorageClass", "string", "Its class.", classOfVolume),
    column<Volume>(
      "VolumeAttributesClass",
      "string",
      "The class of its attributes.",
      ({ spec }) => spec?.volumeAttributesClassName ?? unset,
    ),
    column<Volume>("Reason", "string", "Why it has failed, in a word.", ({ status }) => status?.reason ?? ""),
    ageColumn,
    wideColumn<Volume>(
      "VolumeMode",
      "string",
      "Whether it has a file system.",
      ({ spec }) => spec?.volumeMode ?? unset,
    ),
  ] as Columns,
  // As upstream, whose field has this name for as long as there have been volumes.
  selectableFields: ({ metadata }) => ({ name: metadata.name ?? "" }),
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
      object.status.phase ||= "Pending";
      object.spec.persistentVolumeReclaimPolicy ||= "Retain";
      object.spec.volumeMode ??= "Filesystem";
      if (object.spec.hostPath) object.spec.hostPath.type ??= "";
      defaultNetworkSource(object.spec);
    },
    prepareForCreate(object, nowMs) {
      object.status = { phase: "Pending", lastPhaseTransitionTime: formatTime(nowMs) };
    },
    prepareForStatusUpdate(object, old, nowMs) {
      object.status ??= {};
      const { status } = object;
      const before = old.status?.lastPhaseTransitionTime;
      if (status.phase === old.status?.phase) {
        if (before !== undefined) status.lastPhaseTransitionTime ??= before;
      } else if (status.lastPhaseTransitionTime === undefined || status.lastPhaseTransitionTime === before)
        status.lastPhaseTransitionTime = formatTime(nowMs);
    },
    validate: validatePersistentVolume,
    validateUpdate: validatePersistentVolumeUpdate,
    warnings: volumeWarnings,
  },
};

const deprecatedAnnotations: Readonly<Record<string, string>> = {
  [classAnnotation]: 'deprecated since v1.8; use "storageClassName" attribute instead',
  [mountOptionsAnnotation]: 'deprecated since v1.31; use "mountOptions" attribute instead',
};

const deprecatedSources: Readonly<Record<string, string>> = {
  cephfs: "spec.cephfs: deprecated in v1.28, non-functional in v1.31+",
  photonPersistentDisk: "spec.photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
  scaleIO: "spec.scaleIO: deprecated in v1.16, non-functional in v1.22+",
  storageos: "spec.storageOS: deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "spec.glusterfs: deprecated in v1.25, non-functional in v1.26+",
  rbd: "spec.rbd: deprecated in v1.28, non-functional in v1.31+",
};

function volumeWarnings({ metadata, spec = {} }: Volume): string[] {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const source = deprecatedSources[volumeSourceName(spec) ?? ""];
  return [
    ...Object.entries(deprecatedAnnotations)
      .filter(([key]) => metadata.annotations?.[key] !== undefined)
      .map(([key, message]) => `metadata.annotations[${key}]: ${message}`),
    ...(spec.persistentVolumeReclaimPolicy === "Recycle"
      ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        ]
      : []),
    ...terms.flatMap((term, i) => termWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`)),
    ...(source ? [source] : []),
  ];
}
