import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  fieldTooLong,
  isDnsSubdomain,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { addInvalid, type FieldErrors, validateImmutable } from "../../validation/values.ts";
import { validateDriverName } from "./driver-name.ts";

type VolumeAttachment = storagev1.VolumeAttachment;

const metadataBytesMax = 256 * 1024;
const errorMessageBytesMax = 1024;
const exactlyOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";

/** Counterpart upstream: `pkg/registry/storage/volumeattachment`. */
export const volumeAttachment: Kind<VolumeAttachment> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttachment",
  resource: "volumeattachments",
  singular: "volumeattachment",
  shortNames: [],
  categories: [],
  scope: "Cluster",
  schema: "storage/v1.VolumeAttachment",
  hasStatus: true,
  columns: [
    nameColumn,
    {
      ...column<VolumeAttachment>(
        "Attacher",
        "string",
        "The driver that attaches.",
        ({ spec }) => spec.attacher,
      ),
      format: "name",
    },
    column<VolumeAttachment>(
      "PV",
      "string",
      "The persistent volume.",
      ({ spec }) => spec.source.persistentVolumeName ?? "",
    ),
    column<VolumeAttachment>("Node", "string", "Where it is attached.", ({ spec }) => spec.nodeName),
    column<VolumeAttachment>(
      "Attached",
      "boolean",
      "Whether it is, as the driver says.",
      ({ status }) => status?.attached ?? false,
    ),
    ageColumn,
  ] as Kind<VolumeAttachment>["columns"],
  strategy: {
    tracksGeneration: false,
    allowUnconditionalUpdate: false,
    prepareForCreate(object) {
      object.status = { attached: false };
    },
    validate: validateAttachment,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(errors, object.spec, old.spec, "spec");
      return errors;
    },
  },
};

function validateAttachment({ spec, status }: VolumeAttachment): FieldError[] {
  const errors: FieldErrors = [];
  validateDriverName(errors, spec.attacher, "spec.attacher");
  validateSource(errors, spec.source);
  addInvalid(errors, spec.nodeName, isDnsSubdomain(spec.nodeName), "spec.nodeName");
  validateStatus(errors, status);
  const { persistentVolumeName } = spec.source;
  if (persistentVolumeName !== undefined)
    addInvalid(
      errors,
      persistentVolumeName,
      isDnsSubdomain(persistentVolumeName),
      "spec.source.persistentVolumeName",
    );
  return errors;
}

function validateSource(
  errors: FieldErrors,
  { inlineVolumeSpec, persistentVolumeName }: storagev1.VolumeAttachmentSource,
): void {
  const path = "spec.source";
  if (!inlineVolumeSpec && persistentVolumeName === undefined) errors.push(fieldRequired(path, exactlyOne));
  else if (inlineVolumeSpec && persistentVolumeName !== undefined)
    errors.push(fieldForbidden(path, exactlyOne));
  else if (persistentVolumeName === "")
    errors.push(fieldRequired(`${path}.persistentVolumeName`, "must specify non empty persistentVolumeName"));
}

function validateStatus(errors: FieldErrors, status: storagev1.VolumeAttachmentStatus | undefined): void {
  const metadata = Object.entries(status?.attachmentMetadata ?? {});
  const bytes = metadata.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > metadataBytesMax) errors.push(fieldTooLong("status.attachmentMetadata", metadataBytesMax));
  for (const field of ["attachError", "detachError"] as const) {
    const error = status?.[field];
    if (!error) continue;
    const path = `status.${field}`;
    if (Buffer.byteLength(error.message ?? "") > errorMessageBytesMax)
      // The bound it names is the other one, upstream as well.
      errors.push(fieldTooLong(`${path}.message`, metadataBytesMax));
    if (error.errorCode !== undefined && error.errorCode < 0)
      errors.push(
        fieldInvalid(`${path}.errorCode`, error.errorCode, "must be between 0 and 2147483647, inclusive"),
      );
  }
}
