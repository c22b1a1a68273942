import { type FieldError, fieldForbidden } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateAnnotations, validateLabels } from "../../../../validation/labels.ts";
import type { FieldErrors } from "../../../../validation/values.ts";
import { mirrorPodAnnotation, validatePodAnnotations, validateProfileAnnotations } from "./annotations.ts";
import { validateImageOfPod } from "./image.ts";
import { validatePodSpec } from "./pod-spec.ts";

/** A pod, new or changed. Its metadata is checked by shared code. */
export function validatePod(pod: corev1.Pod): FieldError[] {
  const errors: FieldErrors = [];
  const spec = pod.spec!;
  const annotations = pod.metadata?.annotations;
  validatePodAnnotations(errors, annotations, spec, "metadata.annotations");
  const owner = {
    kind: "Pod",
    name: pod.metadata?.name ?? "",
    isMirror: annotations?.[mirrorPodAnnotation] !== undefined,
  } as const;
  validatePodSpec(errors, spec, owner, "spec");
  if (!spec.serviceAccountName) validateNoTokens(errors, spec);
  for (const list of ["containers", "initContainers"] as const) {
    spec[list]?.forEach(({ image }, i) => {
      validateImageOfPod(errors, image, `spec.${list}[${i}].image`);
    });
  }
  return errors;
}

function validateNoTokens(errors: FieldErrors, { volumes }: corev1.PodSpec): void {
  volumes?.forEach(({ projected }, v) => {
    projected?.sources?.forEach(({ serviceAccountToken }, s) => {
      if (serviceAccountToken)
        errors.push(
          fieldForbidden(
            `spec.volumes[${v}].projected.sources[${s}].serviceAccountToken`,
            "must not be specified when serviceAccountName is not set",
          ),
        );
    });
  });
}

/** What a pod may not have when it is made. */
export function validateNewPod(pod: corev1.Pod): FieldError[] {
  const errors: FieldErrors = [];
  const spec = pod.spec!;
  if (spec.ephemeralContainers?.length)
    errors.push(fieldForbidden("spec.ephemeralContainers", "cannot be set on create"));
  if (spec.nodeName && spec.schedulingGates?.length)
    errors.push(fieldForbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  validateProfileAnnotations(errors, pod.metadata ?? {}, spec, "spec");
  return errors;
}

/** The template of a Deployment's, ReplicaSet's or Job's pods. */
export function validatePodTemplate(
  errors: FieldErrors,
  template: corev1.PodTemplateSpec,
  path: string,
): void {
  const metadata = template.metadata ?? {};
  const { spec } = template;
  validateLabels(errors, metadata.labels, `${path}.labels`);
  validateAnnotations(errors, metadata.annotations, `${path}.annotations`);
  validatePodAnnotations(errors, metadata.annotations, spec, `${path}.annotations`);
  validatePodSpec(errors, spec, { kind: "PodTemplate" }, `${path}.spec`);
  validateProfileAnnotations(errors, metadata, spec, `${path}.spec`);
  if (spec.ephemeralContainers?.length)
    errors.push(
      fieldForbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"),
    );
}
