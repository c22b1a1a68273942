import type { corev1 } from "../../../index.ts";
import type { PartStrategy } from "../../../kind.ts";
import { validatePodResize } from "./validation/resize.ts";

/** `/resize` changes what a pod asks for while it runs. As `pkg/registry/core/pod.podResizeStrategy`. */
export const resizeStrategy: PartStrategy<corev1.Pod> = {
  prepareForUpdate(pod, old) {
    const { spec, metadata } = pod;
    pod.metadata = { ...old.metadata };
    if (metadata.managedFields) pod.metadata.managedFields = metadata.managedFields;
    else delete pod.metadata.managedFields;
    if (old.status) pod.status = old.status;
    else delete pod.status;
    // Containers that came, went or moved are left as they were asked for: validation refuses them by name.
    if (!haveSameNames(spec!, old.spec!)) return;
    pod.spec = {
      ...old.spec!,
      containers: withResources(old.spec!.containers, spec!.containers),
      ...(old.spec!.initContainers && {
        initContainers: withResources(old.spec!.initContainers, spec!.initContainers!),
      }),
    };
    if (spec!.resources) pod.spec.resources = spec!.resources;
    else delete pod.spec.resources;
  },
  validateUpdate: validatePodResize,
};

function haveSameNames(spec: corev1.PodSpec, old: corev1.PodSpec): boolean {
  return (["containers", "initContainers"] as const).every((list) => {
    const before = old[list] ?? [];
    const after = spec[list] ?? [];
    return before.length === after.length && before.every(({ name }, i) => after[i]!.name === name);
  });
}

function withResources(
  old: readonly corev1.Container[],
  asked: readonly corev1.Container[],
): corev1.Container[] {
  return old.map((container, i) => {
    const { resizePolicy: _, ...rest } = container;
    const { resources, resizePolicy } = asked[i]!;
    return { ...rest, ...(resizePolicy && { resizePolicy }), resources: resources ?? {} };
  });
}
