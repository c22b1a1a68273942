import { fieldRequired, selectorOfLabels } from "../../../machinery/index.ts";
import {
  defaultPodTemplate,
  replicaColumns,
  validateReplicaCounts,
  validateReplicatedTemplate,
} from "../../apps/v1/replicated.ts";
import { none, wideColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, validateNonNegative } from "../../validation/values.ts";
import { templateWarnings } from "./pod/warnings.ts";

type Controller = corev1.ReplicationController;

/** What ReplicaSets took the place of: a selector of labels only. Counterpart upstream: `pkg/registry/core/replicationcontroller`. */
export const replicationController: Kind<Controller> = {
  group: "",
  version: "v1",
  kind: "ReplicationController",
  resource: "replicationcontrollers",
  singular: "replicationcontroller",
  shortNames: ["rc"],
  categories: ["all"],
  scope: "Namespaced",
  schema: "core/v1.ReplicationController",
  hasStatus: true,
  scale: {
    specReplicas: ({ spec }) => spec?.replicas,
    statusReplicas: ({ status }) => status?.replicas,
    selector: ({ spec }) => labelsText(spec?.selector),
    setReplicas({ spec }, replicas) {
      spec!.replicas = replicas;
    },
  },
  columns: replicaColumns(
    wideColumn<Controller>(
      "Selector",
      "string",
      "Which pods belong to it.",
      ({ spec }) => labelsText(spec?.selector) || none,
    ),
  ),
  selectableFields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  strategy: {
    tracksGeneration: true,
    // As upstream, for what was written before there was a choice.
    defaultPropagation: "Orphan",
    applyDefaults(object) {
      object.spec ??= {};
      object.status ??= { replicas: 0 };
      const labels = object.spec.template?.metadata?.labels;
      if (labels && Object.keys(object.spec.selector ?? {}).length === 0)
        object.spec.selector = { ...labels };
      if (labels && Object.keys(object.metadata.labels ?? {}).length === 0)
        object.metadata.labels = { ...labels };
      object.spec.replicas ??= 1;
      if (object.spec.template) defaultPodTemplate(object.spec.template);
    },
    prepareForCreate(object) {
      object.status = { replicas: 0 };
    },
    validate({ spec }) {
      const errors: FieldErrors = [];
      validateNonNegative(errors, spec?.minReadySeconds, "spec.minReadySeconds");
      if (Object.keys(spec?.selector ?? {}).length === 0) errors.push(fieldRequired("spec.selector"));
      validateNonNegative(errors, spec?.replicas, "spec.replicas");
      if (spec?.template) {
        const selector = selectorOfLabels(spec.selector ?? {});
        validateReplicatedTemplate(errors, spec.template, selector, "ReplicationController");
      } else errors.push(fieldRequired("spec.template"));
      return errors;
    },
    validateStatusUpdate: ({ status }) => validateReplicaCounts(status),
    warnings(object, old) {
      if (old && object.metadata.generation === old.metadata.generation) return [];
      return templateWarnings(old ? undefined : object.metadata.name, object.spec!.template!);
    },
  },
};

/** `app=web,tier=a`. */
const labelsText = (labels: Record<string, string> | undefined): string =>
  Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
