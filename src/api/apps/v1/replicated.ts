import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type LabelSelector,
  type Selector,
  selectorOf,
} from "../../../machinery/index.ts";
import { ageColumn, column, nameColumn, wideColumn } from "../../columns.ts";
import { defaultPodSpec } from "../../core/v1/pod/defaults.ts";
import { unsupportedInPod } from "../../core/v1/pod/unsupported.ts";
import { validatePodTemplate } from "../../core/v1/pod/validation/pod.ts";
import { templateWarnings } from "../../core/v1/pod/warnings.ts";
import type { corev1, metav1 } from "../../index.ts";
import type { Column, ScaleFields } from "../../kind.ts";
import { validateLabelSelector } from "../../validation/labels.ts";
import { type FieldErrors, validateNonNegative } from "../../validation/values.ts";

/*
 * What Deployments, ReplicaSets and ReplicationControllers share: a selector, and a template of pods that it selects.
 */

interface ReplicatedSpec {
  replicas?: number;
  minReadySeconds?: number;
  selector?: metav1.LabelSelector;
  template?: corev1.PodTemplateSpec;
}
interface Replicated {
  metadata: { name?: string; generation?: number };
  spec?: ReplicatedSpec;
  status?: { replicas?: number; readyReplicas?: number };
}

/** What `/scale` reads and sets. */
export const replicaScale: ScaleFields<Replicated> = {
  specReplicas: ({ spec }) => spec?.replicas,
  statusReplicas: ({ status }) => status?.replicas,
  selector: ({ spec }) => selectorText(spec?.selector),
  setReplicas({ spec }, replicas) {
    spec!.replicas = replicas;
  },
};

/** Of the template: of a new object, or of one whose spec has changed. */
export function replicatedWarnings(object: Replicated, old: Replicated | undefined): string[] {
  if (!old) return templateWarnings(object.metadata.name, object.spec!.template!);
  return object.metadata.generation === old.metadata.generation
    ? []
    : templateWarnings(undefined, object.spec!.template!);
}

export function defaultReplicated(spec: ReplicatedSpec): void {
  spec.replicas ??= 1;
  spec.template ??= { spec: { containers: [] } };
  defaultPodTemplate(spec.template);
}

export function defaultPodTemplate(template: corev1.PodTemplateSpec): void {
  template.spec ??= { containers: [] };
  template.metadata ??= {};
  defaultPodSpec(template.spec);
}

const counts = [
  "replicas",
  "fullyLabeledReplicas",
  "readyReplicas",
  "availableReplicas",
  "observedGeneration",
  "terminatingReplicas",
] as const;

/** What a ReplicaSet's status may say, and a ReplicationController's. */
export function validateReplicaCounts(
  status: Partial<Record<(typeof counts)[number], number>> | undefined,
): FieldError[] {
  const errors: FieldErrors = [];
  for (const field of counts) validateNonNegative(errors, status?.[field], `status.${field}`);
  const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status ?? {};
  for (const field of ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] as const) {
    const count = status?.[field] ?? 0;
    if (count > replicas)
      errors.push(fieldInvalid(`status.${field}`, count, "cannot be greater than status.replicas"));
  }
  if (availableReplicas > readyReplicas)
    errors.push(
      fieldInvalid("status.availableReplicas", availableReplicas, "cannot be greater than readyReplicas"),
    );
  return errors;
}

/** A selector that can be asked what it selects; undefined for an invalid one. */
function usableSelector(selector: metav1.LabelSelector | undefined): Selector | undefined {
  try {
    return selectorOf(selector as LabelSelector | undefined);
  } catch {
    return undefined;
  }
}

/** The selector, and the template below `spec`, of `kind`. */
export function validateReplicated(errors: FieldErrors, { selector, template }: ReplicatedSpec): void {
  const path = "spec.selector";
  if (!selector) {
    errors.push(fieldRequired(path));
  } else {
    validateLabelSelector(errors, selector as LabelSelector, path);
    // Of ReplicaSets too: upstream's words.
    const isEmpty =
      Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length;
    if (isEmpty) errors.push(fieldInvalid(path, selector, "empty selector is invalid for deployment"));
  }
  const selects = usableSelector(selector);
  if (!selects) errors.push(fieldInvalid(path, selector, "invalid label selector"));
  // Of Deployments too: upstream's words.
  else validateReplicatedTemplate(errors, template!, selects, "ReplicaSet");
}

/** Pods that are replaced for ever, and that `selector` finds again. */
export function validateReplicatedTemplate(
  errors: FieldErrors,
  template: corev1.PodTemplateSpec,
  selector: Pick<Selector, "empty" | "matches">,
  kind: string,
): void {
  const path = "spec.template";
  const labels = template.metadata?.labels;
  if (!selector.empty && !selector.matches(labels))
    errors.push(
      fieldInvalid(`${path}.metadata.labels`, labels ?? null, "`selector` does not match template `labels`"),
    );
  validatePodTemplate(errors, template, path);
  const { restartPolicy, activeDeadlineSeconds } = template.spec;
  if (restartPolicy !== "Always")
    errors.push(fieldNotSupported(`${path}.spec.restartPolicy`, restartPolicy ?? "", ["Always"]));
  if (activeDeadlineSeconds !== undefined)
    errors.push(
      fieldForbidden(
        `${path}.spec.activeDeadlineSeconds`,
        `activeDeadlineSeconds in ${kind} is not Supported`,
      ),
    );
  errors.push(...unsupportedInPod(template.spec, `${path}.spec`).errors);
}

/** `app=web,tier in (a,b)`. */
export const selectorText = (selector: metav1.LabelSelector | undefined): string =>
  usableSelector(selector)?.toString() ?? "<invalid>";

const containersOf = ({ spec }: Replicated) => spec?.template?.spec?.containers ?? [];

export const containersColumn: Column<Replicated> = wideColumn(
  "Containers",
  "string",
  "Names of the template's containers.",
  (object) =>
    containersOf(object)
      .map(({ name }) => name)
      .join(","),
);

export const imagesColumn: Column<Replicated> = wideColumn(
  "Images",
  "string",
  "Images of the template's containers.",
  (object) =>
    containersOf(object)
      .map(({ image = "" }) => image)
      .join(","),
);

export const selectorColumn: Column<Replicated> = wideColumn(
  "Selector",
  "string",
  "Which pods belong to it.",
  ({ spec }) => selectorText(spec?.selector),
);

/** Of a kind that keeps a number of pods, whose selector is shown its own way. */
export const replicaColumns = (selector: Column<any>): Column<any>[] => [
  nameColumn,
  column<Replicated>("Desired", "integer", "How many pods are wanted.", ({ spec }) => spec?.replicas ?? 0),
  column<Replicated>("Current", "integer", "How many pods there are.", ({ status }) => status?.replicas ?? 0),
  column<Replicated>(
    "Ready",
    "integer",
    "How many pods are ready.",
    ({ status }) => status?.readyReplicas ?? 0,
  ),
  ageColumn,
  containersColumn,
  imagesColumn,
  selector,
];
