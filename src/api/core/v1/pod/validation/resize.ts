import { type FieldError, fieldForbidden, fieldInvalid } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { type FieldErrors, semanticallyEqual } from "../../../../validation/values.ts";
import { computeQosClass, qosClassOf } from "../qos.ts";
import { isSidecar } from "../resources.ts";
import { mirrorPodAnnotation } from "./annotations.ts";

type ResourceList = Readonly<Record<string, string>>;

const mutableResources = ["cpu", "memory"] as const;
const onlyComputeMutable = "only cpu and memory resources are mutable";

/** What a resize may not change. As `ValidatePodResize`. */
export function validatePodResize(pod: corev1.Pod, old: corev1.Pod): FieldError[] {
  if (old.metadata.annotations?.[mirrorPodAnnotation] !== undefined)
    return [fieldForbidden("", "static pods cannot be resized")];
  const spec = pod.spec!;
  const oldSpec = old.spec!;
  if (oldSpec.os?.name === "windows") return [fieldForbidden("", "windows pods cannot be resized")];
  const errors: FieldErrors = [];
  if (qosClassOf(old) !== computeQosClass(spec))
    errors.push(
      fieldInvalid("spec", pod.status?.qosClass, "Pod QOS Class may not change as a result of resizing"),
    );
  validatePodLevel(errors, spec.resources, oldSpec.resources);
  if (!validateOrder(errors, spec, oldSpec)) return errors;
  for (const list of ["initContainers", "containers"] as const) {
    oldSpec[list]?.forEach((container, i) => {
      validateNothingRemoved(errors, spec[list]![i]!.resources, container.resources, `spec.${list}[${i}]`);
    });
  }
  spec.containers.forEach((container, i) => {
    if (!semanticallyEqual(withComputeOf(container, oldSpec.containers[i]!), oldSpec.containers[i]))
      errors.push(fieldForbidden("spec", onlyComputeMutable));
  });
  spec.initContainers?.forEach((container, i) => {
    validateInitContainer(errors, container, oldSpec.initContainers![i]!, `spec.initContainers[${i}]`);
  });
  return errors;
}

function validatePodLevel(
  errors: FieldErrors,
  resources: corev1.ResourceRequirements | undefined,
  old: corev1.ResourceRequirements | undefined,
): void {
  if (old && !resources) {
    errors.push(fieldForbidden("spec.resources", "pod-level resources cannot be removed"));
    return;
  }
  for (const list of ["requests", "limits"] as const) {
    if (isAnyRemoved(resources?.[list], old?.[list]))
      errors.push(fieldForbidden(`spec.resources.${list}`, `pod-level resource ${list} cannot be removed`));
  }
  const masked = withCompute(resources, old);
  const isFirst = old === undefined && masked !== undefined && isEmpty(masked);
  if (!isFirst && !semanticallyEqual(masked, old))
    errors.push(fieldForbidden("spec", `${onlyComputeMutable} at pod-level`));
}

/** Returns false where containers were added, removed, renamed or moved: then there is nothing to compare. */
function validateOrder(errors: FieldErrors, spec: corev1.PodSpec, old: corev1.PodSpec): boolean {
  const before = errors.length;
  for (const list of ["containers", "initContainers"] as const) {
    const asked = spec[list] ?? [];
    const had = old[list] ?? [];
    if (asked.length !== had.length) {
      errors.push(fieldForbidden(`spec.${list}`, `${list} may not be added or removed on resize`));
      continue;
    }
    had.forEach(({ name }, i) => {
      if (asked[i]!.name !== name)
        errors.push(
          fieldForbidden(`spec.${list}[${i}].name`, `${list} may not be renamed or reordered on resize`),
        );
    });
  }
  return errors.length === before;
}

function validateNothingRemoved(
  errors: FieldErrors,
  resources: corev1.ResourceRequirements | undefined,
  old: corev1.ResourceRequirements | undefined,
  path: string,
): void {
  for (const list of ["requests", "limits"] as const) {
    if (isAnyRemoved(resources?.[list], old?.[list]))
      errors.push(fieldForbidden(`${path}.resources.${list}`, `resource ${list} cannot be removed`));
  }
}

function validateInitContainer(
  errors: FieldErrors,
  container: corev1.Container,
  old: corev1.Container,
  path: string,
): void {
  const masked = withComputeOf(container, old);
  if (!semanticallyEqual(masked, old))
    errors.push(
      fieldForbidden(path, "only cpu and memory resources for init or sidecar containers are mutable"),
    );
  if (isSidecar(container) || semanticallyEqual(container, old)) return;
  if (container.resizePolicy?.some(({ restartPolicy }) => restartPolicy === "RestartContainer"))
    errors.push(
      fieldForbidden(
        path,
        "non-sidecar init containers with a resize policy of RestartContainer cannot be resized",
      ),
    );
}

const isAnyRemoved = (list: ResourceList = {}, old: ResourceList = {}) =>
  Object.keys(old).some((name) => !(name in list));

/** With what may change put back, so that all else can be compared. */
const withComputeOf = (container: corev1.Container, old: corev1.Container): corev1.Container => ({
  ...container,
  resources: withCompute(container.resources, old.resources),
});

function withCompute(
  resources: corev1.ResourceRequirements | undefined,
  old: corev1.ResourceRequirements | undefined,
): corev1.ResourceRequirements | undefined {
  if (!resources) return resources;
  return {
    ...resources,
    requests: restored(resources.requests, old?.requests),
    limits: restored(resources.limits, old?.limits),
  };
}

const isEmpty = ({ requests = {}, limits = {}, claims = [] }: corev1.ResourceRequirements) =>
  Object.keys(requests).length + Object.keys(limits).length + claims.length === 0;

function restored(list: ResourceList = {}, old: ResourceList = {}): Record<string, string> {
  const made: Record<string, string> = { ...list };
  for (const name of mutableResources) {
    delete made[name];
    if (old[name] !== undefined) made[name] = old[name];
  }
  return made;
}
