import { type FieldError, fieldForbidden } from "../../../../machinery/index.ts";
import type { corev1 } from "../../../index.ts";
import type { PartStrategy } from "../../../kind.ts";
import { describeDifference } from "../../../validation/difference.ts";
import { semanticallyEqual } from "../../../validation/values.ts";
import { mirrorPodAnnotation } from "./validation/annotations.ts";

/** `/ephemeralcontainers` adds containers to a pod that runs. As `pkg/registry/core/pod.podEphemeralContainersStrategy`. */
export const ephemeralContainersStrategy: PartStrategy<corev1.Pod> = {
  prepareForUpdate(pod, old) {
    const { ephemeralContainers } = pod.spec!;
    pod.spec = { ...old.spec!, ...(ephemeralContainers && { ephemeralContainers }) };
    if (!ephemeralContainers) delete pod.spec.ephemeralContainers;
    if (old.status) pod.status = old.status;
    else delete pod.status;
    const { managedFields } = pod.metadata;
    pod.metadata = { ...old.metadata };
    if (managedFields) pod.metadata.managedFields = managedFields;
    else delete pod.metadata.managedFields;
  },
  validateUpdate(pod, old) {
    if (old.metadata.annotations?.[mirrorPodAnnotation] !== undefined)
      return [fieldForbidden("", "static pods do not support ephemeral containers")];
    return changesOfExisting(pod.spec!, old.spec!);
  },
};

/** They can be neither changed nor taken away; a patch does not keep their order, so that does not count. */
function changesOfExisting(spec: corev1.PodSpec, old: corev1.PodSpec): FieldError[] {
  const path = "spec.ephemeralContainers";
  const byName = new Map(spec.ephemeralContainers?.map((container) => [container.name, container]));
  return (old.ephemeralContainers ?? []).flatMap((before) => {
    const after = byName.get(before.name);
    const what = `existing ephemeral containers ${JSON.stringify(before.name)} may not be`;
    if (!after) return fieldForbidden(path, `${what} removed\n`);
    if (semanticallyEqual(before, after)) return [];
    return fieldForbidden(path, `${what} changed\n${describeDifference(before, after)}`);
  });
}
