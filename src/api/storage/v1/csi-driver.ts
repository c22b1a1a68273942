import {
  type FieldError,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn, none } from "../../columns.ts";
import type { storagev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, semanticallyEqual, validateImmutable } from "../../validation/values.ts";

type CSIDriver = storagev1.CSIDriver;

const fsGroupPolicies = ["File", "None", "ReadWriteOnceWithFSType"];
const lifecycleModes = ["Persistent", "Ephemeral"];
const tokenExpirationSMin = 600;
const tokenExpirationSMax = 2 ** 32;
const allocatablePeriodSMin = 10;

const tokensInContext =
  "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";

/** Counterpart upstream: `pkg/registry/storage/csidriver`. */
export const csiDriver: Kind<CSIDriver> = {
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  resource: "csidrivers",
  singular: "csidriver",
  shortNames: [],
  categories: [],
  scope: "Cluster",
  schema: "storage/v1.CSIDriver",
  hasStatus: false,
  columns: [
    nameColumn,
    column<CSIDriver>(
      "AttachRequired",
      "boolean",
      "Whether a volume is attached to its node before it is mounted there.",
      ({ spec }) => spec.attachRequired ?? true,
    ),
    column<CSIDriver>(
      "PodInfoOnMount",
      "boolean",
      "Whether the driver is told of the pod a volume is for.",
      ({ spec }) => spec.podInfoOnMount ?? false,
    ),
    column<CSIDriver>(
      "StorageCapacity",
      "boolean",
      "Whether pods are placed by the capacity the driver reports.",
      ({ spec }) => spec.storageCapacity ?? false,
    ),
    column<CSIDriver>(
      "TokenRequests",
      "string",
      "The audiences of the tokens the driver is given.",
      ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience).join(",") ?? "<unset>",
    ),
    column<CSIDriver>(
      "RequiresRepublish",
      "boolean",
      "Whether a volume is published again and again while its pod runs.",
      ({ spec }) => spec.requiresRepublish ?? false,
    ),
    column<CSIDriver>(
      "Modes",
      "string",
      "Which volumes the driver has: persistent ones, or those of a pod alone.",
      ({ spec }) => spec.volumeLifecycleModes?.join(",") || none,
    ),
    ageColumn,
  ] as Kind<CSIDriver>["columns"],
  strategy: {
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    applyDefaults({ spec }) {
      spec.attachRequired ??= true;
      spec.podInfoOnMount ??= false;
      spec.storageCapacity ??= false;
      spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType";
      if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ["Persistent"];
      spec.requiresRepublish ??= false;
      spec.seLinuxMount ??= false;
    },
    prepareForCreate: ({ spec }) => dropAlphaFields(spec),
    prepareForUpdate: ({ spec }) => dropAlphaFields(spec),
    validate: validateDriver,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      validateImmutable(
        errors,
        object.spec.attachRequired,
        old.spec.attachRequired,
        // As upstream spells it.
        "spec.attachedRequired",
      );
      validateImmutable(
        errors,
        object.spec.volumeLifecycleModes,
        old.spec.volumeLifecycleModes,
        "spec.volumeLifecycleModes",
      );
      return errors;
    },
    warnings({ spec }, old) {
      const { tokenRequests, serviceAccountTokenInSecrets } = spec;
      if (!tokenRequests?.length || serviceAccountTokenInSecrets !== undefined) return [];
      return old && semanticallyEqual(old.spec.tokenRequests, tokenRequests) ? [] : [tokensInContext];
    },
  },
};

/** Of the feature VolumeLimitScaling, which v1.36 has switched off. */
function dropAlphaFields(spec: storagev1.CSIDriverSpec): void {
  delete spec.preventPodSchedulingIfMissing;
}

function validateDriver({ spec }: CSIDriver): FieldError[] {
  const errors: FieldErrors = [];
  if (spec.fsGroupPolicy !== undefined && !fsGroupPolicies.includes(spec.fsGroupPolicy))
    errors.push(fieldNotSupported("spec.fsGroupPolicy", spec.fsGroupPolicy, fsGroupPolicies));
  validateTokenRequests(errors, spec.tokenRequests ?? []);
  for (const mode of spec.volumeLifecycleModes ?? [])
    if (!lifecycleModes.includes(mode))
      errors.push(fieldNotSupported("spec.volumeLifecycleModes", mode, lifecycleModes));
  if (spec.seLinuxMount === undefined) errors.push(fieldRequired("spec.seLinuxMount"));
  const periodS = spec.nodeAllocatableUpdatePeriodSeconds;
  if (periodS !== undefined && periodS < allocatablePeriodSMin)
    errors.push(
      fieldInvalid(
        "spec.nodeAllocatableUpdatePeriodSeconds",
        periodS,
        "must be greater than or equal to 10 seconds",
      ),
    );
  if (spec.serviceAccountTokenInSecrets !== undefined && !spec.tokenRequests?.length)
    errors.push(
      fieldInvalid(
        "spec.serviceAccountTokenInSecrets",
        spec.serviceAccountTokenInSecrets,
        "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
      ),
    );
  return errors;
}

function validateTokenRequests(errors: FieldErrors, requests: readonly storagev1.TokenRequest[]): void {
  const audiences = new Set<string>();
  requests.forEach(({ audience, expirationSeconds }, index) => {
    const path = `spec.tokenRequests[${index}]`;
    if (audiences.has(audience)) {
      errors.push(fieldDuplicate(`${path}.audience`, audience));
      return;
    }
    audiences.add(audience);
    if (expirationSeconds === undefined) return;
    const at = `${path}.expirationSeconds`;
    if (expirationSeconds < tokenExpirationSMin)
      errors.push(fieldInvalid(at, expirationSeconds, "may not specify a duration less than 10 minutes"));
    if (expirationSeconds > tokenExpirationSMax)
      errors.push(fieldInvalid(at, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
  });
}
