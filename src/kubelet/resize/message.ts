import type { corev1 } from "../../api/index.ts";

/** What an event of a resize says: the resources it is about, as JSON. As `pkg/kubelet/events.podResizeMessage`. */
export function resizeMessage(prefix: string, pod: corev1.Pod, generation: number, error?: string): string {
  const summary = (containers: readonly corev1.Container[]) =>
    containers.map(({ name, resources = {} }) => ({
      name,
      resources: {
        ...(resources.limits && { limits: resources.limits }),
        ...(resources.requests && { requests: resources.requests }),
      },
    }));
  const { initContainers = [], containers } = pod.spec!;
  return `${prefix}: ${JSON.stringify({
    ...(initContainers.length > 0 && { initContainers: summary(initContainers) }),
    containers: summary(containers),
    generation,
    ...(error && { error }),
  })}`;
}
