import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  outOfRange,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { describeDifference } from "../../../../validation/difference.ts";
import { type FieldErrors, semanticallyEqual } from "../../../../validation/values.ts";
import { validatePodAnnotationUpdate } from "./annotations.ts";
import { validateGatedChanges } from "./gated-update.ts";
import { validateImageOfPod } from "./image.ts";
import { validateOnlyDeletedGates } from "./scheduling.ts";

const updatableFields = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",");

/** What an update may not change: a pod's spec is fixed, but for a few fields. */
export function validatePodUpdate(pod: corev1.Pod, old: corev1.Pod): FieldError[] {
  const errors: FieldErrors = [];
  validatePodAnnotationUpdate(
    errors,
    pod.metadata?.annotations,
    old.metadata?.annotations,
    "metadata.annotations",
  );
  const spec = pod.spec!;
  const oldSpec = old.spec!;
  if (spec === oldSpec) return errors;
  for (const list of ["containers", "initContainers"] as const) {
    if (!haveSameLength(spec[list], oldSpec[list])) {
      errors.push(fieldForbidden(`spec.${list}`, "pod updates may not add or remove containers"));
      return errors;
    }
    spec[list]?.forEach(({ image }, i) => {
      if (!image) errors.push(fieldRequired(`spec.${list}[${i}].image`));
      validateImageOfPod(errors, image, `spec.${list}[${i}].image`);
    });
  }
  if (!validateDeadlineUpdate(errors, spec.activeDeadlineSeconds, oldSpec.activeDeadlineSeconds))
    return errors;
  validateTolerationUpdate(errors, spec.tolerations, oldSpec.tolerations);
  validateOnlyDeletedGates(errors, spec.schedulingGates, oldSpec.schedulingGates, "spec.schedulingGates");
  validateFixedFields(errors, spec, oldSpec);
  return errors;
}

const haveSameLength = (a: readonly unknown[] = [], b: readonly unknown[] = []) => a.length === b.length;

const deadlineMaxS = 2 ** 31 - 1;

/** It may be set, and then only be lowered. Returns false when there is no use in looking further, as upstream. */
function validateDeadlineUpdate(
  errors: FieldErrors,
  seconds: number | undefined,
  old: number | undefined,
): boolean {
  const path = "spec.activeDeadlineSeconds";
  if (seconds === undefined) {
    if (old !== undefined)
      errors.push(fieldInvalid(path, null, "must not update from a positive integer to nil value"));
    return true;
  }
  if (seconds < 0 || seconds > deadlineMaxS)
    errors.push(fieldInvalid(path, seconds, outOfRange(0, deadlineMaxS)));
  else if (old !== undefined && old < seconds)
    errors.push(fieldInvalid(path, seconds, "must be less than or equal to previous value"));
  else return true;
  return false;
}

/** Each old one must still be there; its `tolerationSeconds` may change. */
function validateTolerationUpdate(
  errors: FieldErrors,
  tolerations: readonly corev1.Toleration[] = [],
  old: readonly corev1.Toleration[] = [],
): void {
  const isKept = (toleration: corev1.Toleration) =>
    tolerations.some((candidate) =>
      semanticallyEqual(candidate, { ...toleration, tolerationSeconds: candidate.tolerationSeconds }),
    );
  if (!old.every(isKept))
    errors.push(
      fieldForbidden(
        "spec.tolerations",
        "existing toleration can not be modified except its tolerationSeconds",
      ),
    );
}

/** With all that may change put back, nothing may differ. */
function validateFixedFields(errors: FieldErrors, spec: corev1.PodSpec, old: corev1.PodSpec): void {
  const restored: corev1.PodSpec = { ...spec };
  restoreImages(restored, old, "containers");
  restoreImages(restored, old, "initContainers");
  restored.activeDeadlineSeconds = old.activeDeadlineSeconds;
  restored.schedulingGates = old.schedulingGates;
  restored.tolerations = old.tolerations;
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1)
    restored.terminationGracePeriodSeconds = old.terminationGracePeriodSeconds;
  if (old.schedulingGates?.length) validateGatedChanges(errors, restored, old);
  if (semanticallyEqual(restored, old)) return;
  errors.push(
    fieldForbidden(
      "spec",
      `pod updates may not change fields other than ${updatableFields}\n${describeDifference(old, restored)}`,
    ),
  );
}

function restoreImages(
  spec: corev1.PodSpec,
  old: corev1.PodSpec,
  list: "containers" | "initContainers",
): void {
  const containers = spec[list]?.map((container, i) => ({ ...container, image: old[list]![i]!.image }));
  if (containers) spec[list] = containers;
}
