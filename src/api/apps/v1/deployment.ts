import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  isPercent,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import type { appsv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import {
  type FieldErrors,
  semanticallyEqual,
  validateCountOrPercent,
  validateImmutable,
  validateNonNegative,
} from "../../validation/values.ts";
import {
  containersColumn,
  defaultReplicated,
  imagesColumn,
  replicaScale,
  replicatedWarnings,
  selectorColumn,
  validateReplicated,
} from "./replicated.ts";

type Deployment = appsv1.Deployment;
const rollingStep = "25%";
const revisionHistoryLimitDefault = 10;
const progressDeadlineDefaultS = 600;

/** Counterpart upstream: `pkg/registry/apps/deployment`. */
export const deployment: Kind<Deployment> = {
  group: "apps",
  version: "v1",
  kind: "Deployment",
  resource: "deployments",
  singular: "deployment",
  shortNames: ["deploy"],
  categories: ["all"],
  scope: "Namespaced",
  schema: "apps/v1.Deployment",
  hasStatus: true,
  scale: replicaScale,
  columns: [
    nameColumn,
    column<Deployment>("Ready", "string", "Pods that are ready, of those wanted.", ({ spec, status }) => {
      return `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`;
    }),
    column<Deployment>(
      "Up-to-date",
      "string",
      "Pods made from the newest template.",
      ({ status }) => status?.updatedReplicas ?? 0,
    ),
    column<Deployment>(
      "Available",
      "string",
      "Pods that have been ready for long enough.",
      ({ status }) => status?.availableReplicas ?? 0,
    ),
    ageColumn,
    containersColumn,
    imagesColumn,
    selectorColumn,
  ] as Kind<Deployment>["columns"],
  strategy: {
    tracksGeneration: true,
    defaultPropagation: "Background",
    applyDefaults: defaultDeployment,
    prepareForCreate(object) {
      object.status = {};
    },
    prepareForUpdate(object, old) {
      // Annotations are copied to the ReplicaSets: the controller has to see that they changed.
      if (!semanticallyEqual(object.metadata.annotations, old.metadata.annotations))
        object.metadata.generation = (old.metadata.generation ?? 0) + 1;
    },
    validate: validateDeployment,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(errors, object.spec?.selector, old.spec?.selector, "spec.selector");
      return errors;
    },
    validateStatusUpdate: validateStatus,
    warnings: replicatedWarnings,
  },
};

function defaultDeployment(object: Deployment): void {
  object.spec ??= {} as NonNullable<Deployment["spec"]>;
  object.status ??= {};
  const { spec } = object;
  defaultReplicated(spec);
  spec.strategy ??= {};
  spec.strategy.type ||= "RollingUpdate";
  if (spec.strategy.type === "RollingUpdate") {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= rollingStep;
    spec.strategy.rollingUpdate.maxSurge ??= rollingStep;
  }
  spec.revisionHistoryLimit ??= revisionHistoryLimitDefault;
  spec.progressDeadlineSeconds ??= progressDeadlineDefaultS;
}

function validateDeployment(object: Deployment): FieldError[] {
  const errors: FieldErrors = [];
  const spec = object.spec!;
  validateNonNegative(errors, spec.replicas, "spec.replicas");
  validateReplicated(errors, spec);
  validateStrategy(errors, spec.strategy!, "spec.strategy");
  validateNonNegative(errors, spec.minReadySeconds, "spec.minReadySeconds");
  validateNonNegative(errors, spec.revisionHistoryLimit, "spec.revisionHistoryLimit");
  const deadlineS = spec.progressDeadlineSeconds;
  validateNonNegative(errors, deadlineS, "spec.progressDeadlineSeconds");
  if (deadlineS !== undefined && deadlineS <= (spec.minReadySeconds ?? 0))
    errors.push(
      fieldInvalid("spec.progressDeadlineSeconds", deadlineS, "must be greater than minReadySeconds"),
    );
  return errors;
}

function validateStrategy(errors: FieldErrors, strategy: appsv1.DeploymentStrategy, path: string): void {
  switch (strategy.type as string) {
    case "Recreate":
      if (strategy.rollingUpdate)
        errors.push(
          fieldForbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
        );
      return;
    case "RollingUpdate":
      if (!strategy.rollingUpdate)
        errors.push(fieldRequired(`${path}.rollingUpdate`, "this should be defaulted and never be nil"));
      else validateRollingUpdate(errors, strategy.rollingUpdate, `${path}.rollingUpdate`);
      return;
    default:
      errors.push(fieldNotSupported(path, strategy, ["Recreate", "RollingUpdate"]));
  }
}

/** A percentage's number; a plain number is itself. */
const amountOf = (value: number | string | undefined) =>
  typeof value === "string" ? (isPercent(value).length === 0 ? Number.parseInt(value, 10) : 0) : (value ?? 0);

function validateRollingUpdate(
  errors: FieldErrors,
  { maxUnavailable, maxSurge }: appsv1.RollingUpdateDeployment,
  path: string,
): void {
  const at = `${path}.maxUnavailable`;
  validateCountOrPercent(errors, maxUnavailable, at);
  validateCountOrPercent(errors, maxSurge, `${path}.maxSurge`);
  if (amountOf(maxUnavailable) === 0 && amountOf(maxSurge) === 0)
    errors.push(fieldInvalid(at, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  if (typeof maxUnavailable === "string" && amountOf(maxUnavailable) > 100)
    errors.push(fieldInvalid(at, maxUnavailable, "must not be greater than 100%"));
}

function validateStatus({ status = {} }: Deployment, { status: old = {} }: Deployment): FieldError[] {
  const errors: FieldErrors = [];
  for (const field of [
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "terminatingReplicas",
    "collisionCount",
  ] as const) {
    validateNonNegative(errors, status[field], `status.${field}`);
  }
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
  const tooMany = "cannot be greater than status.replicas";
  if (updatedReplicas > replicas)
    errors.push(fieldInvalid("status.updatedReplicas", updatedReplicas, tooMany));
  if (readyReplicas > replicas) errors.push(fieldInvalid("status.readyReplicas", readyReplicas, tooMany));
  if (availableReplicas > replicas)
    errors.push(fieldInvalid("status.availableReplicas", availableReplicas, tooMany));
  if (availableReplicas > readyReplicas)
    errors.push(
      fieldInvalid("status.availableReplicas", availableReplicas, "cannot be greater than readyReplicas"),
    );
  if ((status.collisionCount ?? 0) < (old.collisionCount ?? 0))
    errors.push(fieldInvalid("status.collisionCount", status.collisionCount ?? 0, "cannot be decremented"));
  return errors;
}
