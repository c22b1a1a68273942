import { ageColumn, column, nameColumn, wideColumn } from "../../../columns.ts";
import type { corev1 } from "../../../index.ts";
import type { Kind } from "../../../kind.ts";
import { shortAccessModes } from "../persistent-volume/access-modes.ts";
import { classAnnotation, classOfClaim } from "../persistent-volume/class.ts";
import { unset } from "../persistent-volume/kind.ts";
import { normaliseDataSources } from "./data-sources.ts";
import { claimSpecWarnings } from "./spec.ts";
import { validateClaim, validateClaimStatus, validateClaimUpdate } from "./validation.ts";

type Claim = corev1.PersistentVolumeClaim;
type Columns = Kind<Claim>["columns"];

/** Counterpart upstream: `pkg/registry/core/persistentvolumeclaim`. */
export const persistentVolumeClaim: Kind<Claim> = {
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  resource: "persistentvolumeclaims",
  singular: "persistentvolumeclaim",
  shortNames: ["pvc"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.PersistentVolumeClaim",
  hasStatus: true,
  columns: [
    nameColumn,
    column<Claim>("Status", "string", "Whether it has a volume.", ({ metadata, status }) =>
      metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? ""),
    ),
    column<Claim>("Volume", "string", "The volume it has.", ({ spec }) => spec?.volumeName ?? ""),
    column<Claim>("Capacity", "string", "How much that holds.", ({ spec, status }) =>
      spec?.volumeName ? (status?.capacity?.storage ?? "0") : "",
    ),
    column<Claim>("Access Modes", "string", "How that may be mounted.", ({ spec, status }) =>
      spec?.volumeName ? shortAccessModes(status?.accessModes) : "",
    ),
    column<Claim>("StorageClass", "string", "The class it asks for.", classOfClaim),
    column<Claim>(
      "VolumeAttributesClass",
      "string",
      "The class of attributes it asks for.",
      ({ spec }) => spec?.volumeAttributesClassName ?? unset,
    ),
    ageColumn,
    wideColumn<Claim>(
      "VolumeMode",
      "string",
      "Whether it asks for a file system.",
      ({ spec }) => spec?.volumeMode ?? unset,
    ),
  ] as Columns,
  // As upstream, whose field has this name for as long as there have been claims.
  selectableFields: ({ metadata }) => ({ name: metadata.name ?? "" }),
  strategy: {
    tracksGeneration: false,
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= {};
      object.status.phase ||= "Pending";
      object.spec.volumeMode ??= "Filesystem";
    },
    prepareForCreate(object) {
      object.status = { phase: "Pending" };
      normaliseDataSources(object.spec!, undefined);
    },
    prepareForUpdate(object, old) {
      normaliseDataSources(object.spec!, old.spec);
    },
    validate: validateClaim,
    validateUpdate: validateClaimUpdate,
    validateStatusUpdate: validateClaimStatus,
    warnings: ({ metadata, spec = {} }) => [
      ...(metadata.annotations?.[classAnnotation] === undefined
        ? []
        : [
            `metadata.annotations[${classAnnotation}]: deprecated since v1.8; use "storageClassName" attribute instead`,
          ]),
      ...claimSpecWarnings(spec, "spec"),
    ],
  },
};
