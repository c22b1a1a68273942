import {
  type FieldError,
  fieldForbidden,
  fieldInvalid,
  type ObjectMeta,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";
import { eachContainer } from "./context.ts";
import { validateDescendingPath } from "./paths.ts";

/*
 * Annotations of pods that mean something. The seccomp and AppArmor ones are older than the fields and only checked.
 */

export const mirrorPodAnnotation = "kubernetes.io/config.mirror";
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost";
export const seccompPodAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
export const seccompContainerAnnotation = "container.seccomp.security.alpha.kubernetes.io/";
export const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/";

type Annotations = Readonly<Record<string, string>> | undefined;

export function validatePodAnnotations(
  errors: FieldErrors,
  annotations: Annotations,
  spec: corev1.PodSpec,
  path: string,
): void {
  if (!annotations) return;
  const mirror = annotations[mirrorPodAnnotation];
  if (mirror !== undefined && !spec.nodeName)
    errors.push(
      fieldInvalid(
        `${path}[${mirrorPodAnnotation}]`,
        mirror,
        "must set spec.nodeName if mirror pod annotation is set",
      ),
    );
  const cost = annotations[deletionCostAnnotation];
  if (cost !== undefined && !isDeletionCost(cost))
    errors.push(fieldInvalid(`${path}[${deletionCostAnnotation}]`, cost, "must be a 32bit integer"));
  for (const key in annotations) {
    if (key === seccompPodAnnotation || key.startsWith(seccompContainerAnnotation))
      validateSeccompName(errors, annotations[key]!, `${path}.${key}`);
  }
  for (const key in annotations) {
    if (key.startsWith(appArmorAnnotation))
      validateAppArmorAnnotation(errors, { key, profile: annotations[key]! }, spec, path);
  }
}

const isDeletionCost = (cost: string) =>
  /^(-[0-9]+|0|[1-9][0-9]*)$/.test(cost) && Number(cost) >= -(2 ** 31) && Number(cost) < 2 ** 31;

function validateSeccompName(errors: FieldErrors, profile: string, path: string): void {
  if (["runtime/default", "docker/default", "unconfined"].includes(profile)) return;
  if (profile.startsWith("localhost/"))
    validateDescendingPath(errors, profile.slice("localhost/".length), path);
  else errors.push(fieldInvalid(path, profile, "must be a valid seccomp profile"));
}

function validateAppArmorAnnotation(
  errors: FieldErrors,
  { key, profile }: { key: string; profile: string },
  spec: corev1.PodSpec,
  path: string,
): void {
  const container = key.slice(appArmorAnnotation.length);
  let isFound = false;
  eachContainer(spec, "", ({ name }) => {
    if (name === container) isFound = true;
  });
  if (!isFound) errors.push(fieldInvalid(`${path}[${key}]`, container, "container not found"));
  const isKnown = ["", "runtime/default", "unconfined"].includes(profile) || profile.startsWith("localhost/");
  if (!isKnown)
    errors.push(
      fieldInvalid(`${path}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`),
    );
}

/** Where both an annotation and its field are there, they must say the same. Of a new pod or template. */
export function validateProfileAnnotations(
  errors: FieldErrors,
  { annotations }: ObjectMeta,
  spec: corev1.PodSpec,
  path: string,
): void {
  if (!annotations) return;
  const pod = spec.securityContext;
  const podSeccomp = annotations[seccompPodAnnotation];
  if (pod?.seccompProfile && podSeccomp !== undefined)
    validateMatch(
      errors,
      "seccomp",
      podSeccomp,
      pod.seccompProfile,
      `${path}.securityContext.seccompProfile`,
    );
  eachContainer(spec, path, ({ name, securityContext }, at) => {
    const annotation = annotations[seccompContainerAnnotation + name];
    if (securityContext?.seccompProfile && annotation !== undefined)
      validateMatch(
        errors,
        "seccomp",
        annotation,
        securityContext.seccompProfile,
        `${at}.securityContext.seccompProfile`,
      );
  });
  if (spec.os?.name === "windows") return;
  eachContainer(spec, path, ({ name, securityContext }, at) => {
    const annotation = annotations[appArmorAnnotation + name];
    const profile = securityContext?.appArmorProfile ?? pod?.appArmorProfile;
    if (profile && annotation !== undefined)
      validateMatch(errors, "apparmor", annotation, profile, `${at}.securityContext.appArmorProfile`);
  });
}

function validateMatch(
  errors: FieldErrors,
  module: "seccomp" | "apparmor",
  annotation: string,
  { type, localhostProfile }: corev1.SeccompProfile | corev1.AppArmorProfile,
  path: string,
): void {
  const wrongType = (): FieldError =>
    fieldForbidden(`${path}.type`, `${module} type in annotation and field must match`);
  const isRuntimeDefault =
    annotation === "runtime/default" || (module === "seccomp" && annotation === "docker/default");
  if (type === "Unconfined" && annotation !== "unconfined") errors.push(wrongType());
  if (type === "RuntimeDefault" && !isRuntimeDefault) errors.push(wrongType());
  if (type !== "Localhost") return;
  if (!annotation.startsWith("localhost/")) errors.push(wrongType());
  else if (annotation.slice("localhost/".length) !== localhostProfile)
    errors.push(
      fieldForbidden(`${path}.localhostProfile`, `${module} profile in annotation and field must match`),
    );
}

/** What may never be added, changed or taken away. */
export function validatePodAnnotationUpdate(
  errors: FieldErrors,
  annotations: Annotations,
  old: Annotations,
  path: string,
): void {
  const isFixed = (key: string) => key === mirrorPodAnnotation || key.startsWith(appArmorAnnotation);
  const what = (key: string) =>
    key === mirrorPodAnnotation ? "mirror pod annotation" : "AppArmor annotations";
  for (const key in old) {
    if (isFixed(key) && annotations?.[key] !== old[key])
      errors.push(fieldForbidden(`${path}[${key}]`, `may not remove or update ${what(key)}`));
  }
  for (const key in annotations) {
    if (isFixed(key) && old?.[key] === undefined)
      errors.push(fieldForbidden(`${path}[${key}]`, `may not add ${what(key)}`));
  }
}
