import { type FieldError, fieldForbidden } from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn, wideColumn } from "../../columns.ts";
import { validatePreemptionPolicy } from "../../core/v1/pod/validation/scheduling.ts";
import type { schedulingv1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";
import { type FieldErrors, validateImmutable } from "../../validation/values.ts";
import { systemPriorityClasses, userPriorityMax } from "./system-priority-classes.ts";

type PriorityClass = schedulingv1.PriorityClass;

/** Counterpart upstream: `pkg/registry/scheduling/priorityclass`. */
export const priorityClass: Kind<PriorityClass> = {
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  resource: "priorityclasses",
  singular: "priorityclass",
  shortNames: ["pc"],
  categories: [],
  scope: "Cluster",
  schema: "scheduling/v1.PriorityClass",
  hasStatus: false,
  columns: [
    nameColumn,
    column<PriorityClass>("Value", "integer", "The priority of its pods.", ({ value }) => value ?? 0),
    column<PriorityClass>(
      "Global-Default",
      "boolean",
      "Whether pods that name no class are of this one.",
      ({ globalDefault }) => globalDefault ?? false,
    ),
    ageColumn,
    wideColumn<PriorityClass>(
      "PreemptionPolicy",
      "string",
      "Whether its pods push others aside.",
      ({ preemptionPolicy }) => preemptionPolicy ?? "",
    ),
  ] as Kind<PriorityClass>["columns"],
  strategy: {
    // Upstream sets it once and never raises it.
    tracksGeneration: false,
    allowUnconditionalUpdate: true,
    applyDefaults(object) {
      object.preemptionPolicy ??= "PreemptLowerPriority";
    },
    prepareForCreate(object) {
      object.metadata.generation = 1;
    },
    validate: validatePriorityClass,
    validateUpdate(object, old) {
      const errors: FieldErrors = [];
      if ((object.value ?? 0) !== (old.value ?? 0))
        errors.push(fieldForbidden("value", "may not be changed in an update."));
      validateImmutable(errors, object.preemptionPolicy, old.preemptionPolicy, "preemptionPolicy");
      return errors;
    },
  },
};

const systemPrefix = "system-";

function validatePriorityClass({
  metadata,
  value = 0,
  globalDefault = false,
  preemptionPolicy,
}: PriorityClass): FieldError[] {
  const errors: FieldErrors = [];
  if (metadata.name?.startsWith(systemPrefix)) {
    const why = differenceFromSystem(metadata.name, value, globalDefault);
    if (why)
      errors.push(
        fieldForbidden(
          "metadata.name",
          `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`,
        ),
      );
  } else if (value > userPriorityMax) {
    errors.push(
      fieldForbidden("value", `maximum allowed value of a user defined priority is ${userPriorityMax}`),
    );
  }
  if (preemptionPolicy !== undefined) validatePreemptionPolicy(errors, preemptionPolicy, "preemptionPolicy");
  return errors;
}

function differenceFromSystem(name: string, value: number, globalDefault: boolean): string | undefined {
  const known = systemPriorityClasses.find((each) => each.name === name);
  if (!known) return `${name} is not a known system priority class`;
  if (known.value !== value) return `value of ${name} PriorityClass must be ${known.value}`;
  if (globalDefault) return `globalDefault of ${name} PriorityClass must be false`;
  return undefined;
}
