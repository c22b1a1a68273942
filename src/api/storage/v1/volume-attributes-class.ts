import { fieldForbidden, fieldRequired } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, semanticallyEqual } from "../../validation/values.ts";
import { validateParameters, validateProvisioner } from "./parameters.ts";

type VolumeAttributesClass = storagev1.VolumeAttributesClass;

/** Counterpart upstream: `pkg/registry/storage/volumeattributesclass`. */
export const volumeAttributesClass: Kind<VolumeAttributesClass> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttributesClass",
  resource: "volumeattributesclasses",
  singular: "volumeattributesclass",
  shortNames: ["vac"],
  categories: [],
  scope: "Cluster",
  schema: "storage/v1.VolumeAttributesClass",
  hasStatus: false,
  columns: [
    nameColumn,
    column<VolumeAttributesClass>(
      "DriverName",
      "string",
      "Who knows what it means.",
      ({ driverName }) => driverName,
    ),
    ageColumn,
  ] as Kind<VolumeAttributesClass>["columns"],
  strategy: {
    tracksGeneration: false,
    validate({ driverName, parameters }) {
      const errors: FieldErrors = [];
      validateProvisioner(errors, driverName, "driverName");
      validateParameters(errors, parameters, "parameters");
      if (Object.keys(parameters ?? {}).length === 0)
        errors.push(fieldRequired("parameters", "must contain at least one key/value pair"));
      return errors;
    },
    validateUpdate(object, old) {
      return (["driverName", "parameters"] as const)
        .filter((field) => !semanticallyEqual(object[field], old[field]))
        .map((field) => fieldForbidden(field, `updates to ${field} are forbidden.`));
    },
  },
};
