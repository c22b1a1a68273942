import { type FieldError, fieldDuplicate, fieldRequired } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn } from "../../columns.ts";
import { deprecatedNodeLabel } from "../../core/v1/node/deprecated-labels.ts";
import { validateContainerResources } from "../../core/v1/pod/validation/resources.ts";
import { validateTolerations } from "../../core/v1/pod/validation/scheduling.ts";
import type { corev1, nodev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { validateLabels } from "../../validation/labels.ts";
import { validateDnsLabel, validateImmutable } from "../../validation/values.ts";

/** Counterpart upstream: `pkg/registry/node/runtimeclass`, `pkg/apis/node/validation`. */
export const runtimeClass: Kind<nodev1.RuntimeClass> = {
  group: "node.k8s.io",
  version: "v1",
  kind: "RuntimeClass",
  resource: "runtimeclasses",
  singular: "runtimeclass",
  shortNames: [],
  categories: [],
  scope: "Cluster",
  schema: "node/v1.RuntimeClass",
  hasStatus: false,
  columns: [
    nameColumn,
    column<nodev1.RuntimeClass>(
      "Handler",
      "string",
      "The node's configuration that runs these pods.",
      ({ handler }) => handler ?? "",
    ),
    ageColumn,
  ] as Kind<nodev1.RuntimeClass>["columns"],
  strategy: {
    tracksGeneration: false,
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    validate: validateRuntimeClass,
    validateUpdate({ handler }, old) {
      const errors: FieldError[] = [];
      validateImmutable(errors, handler, old.handler, "handler");
      return errors;
    },
    warnings: ({ scheduling }) =>
      Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
        const message = deprecatedNodeLabel(key);
        return message ? [`scheduling.nodeSelector: ${message}`] : [];
      }),
  },
};

function validateRuntimeClass({ handler, overhead, scheduling }: nodev1.RuntimeClass): FieldError[] {
  const errors: FieldError[] = [];
  if (!handler) errors.push(fieldRequired("handler"));
  else validateDnsLabel(errors, handler, "handler");
  if (overhead) validateContainerResources(errors, { limits: overhead.podFixed }, new Set(), "overhead");
  if (scheduling?.nodeSelector) validateLabels(errors, scheduling.nodeSelector, "scheduling.nodeSelector");
  validateUniqueTolerations(errors, scheduling?.tolerations, "scheduling.tolerations");
  return errors;
}

function validateUniqueTolerations(
  errors: FieldError[],
  tolerations: readonly corev1.Toleration[] | undefined,
  path: string,
): void {
  validateTolerations(errors, tolerations, path);
  const seen = new Set<string>();
  tolerations?.forEach((toleration, i) => {
    const { key, operator, value, effect } = toleration;
    const identity = JSON.stringify([key ?? "", operator ?? "", value ?? "", effect ?? ""]);
    if (seen.has(identity)) errors.push(fieldDuplicate(`${path}[${i}]`, toleration));
    seen.add(identity);
  });
}
