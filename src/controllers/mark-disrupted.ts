import type { corev1 } from "../api/index.ts";
import { type Client, pods } from "../client/index.ts";
import { formatTime, isStatus } from "../machinery/index.ts";

/** Why a pod is ended from outside. */
export interface Disruption {
  reason: "DeletionByTaintManager" | "DeletionByPodGC";
  message: string;
}

/** What a pod's status says of it. Already there: undefined. */
export function disruptionCondition(
  pod: corev1.Pod,
  { reason, message }: Disruption,
  nowMs: number,
): corev1.PodCondition | undefined {
  const before = pod.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
  if (before?.status === "True" && before.reason === reason && before.message === message) return undefined;
  return {
    type: "DisruptionTarget",
    status: "True",
    reason,
    message,
    observedGeneration: pod.metadata.generation,
    lastTransitionTime: before?.status === "True" ? before.lastTransitionTime : formatTime(nowMs),
  };
}

/**
 * Marks a pod as a target of disruption (with `more` of its status), then deletes it. A pod that is gone, or another of
 * its name, is left alone.
 */
export async function disruptPod(
  client: Client,
  pod: corev1.Pod,
  options: {
    condition: corev1.PodCondition | undefined;
    more?: Partial<corev1.PodStatus>;
    graceS?: number;
  },
): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const resource = client.resource<corev1.Pod>(pods);
  const { condition, more, graceS } = options;
  try {
    if (condition || more) {
      const status = { ...more, ...(condition && { conditions: [condition] }) };
      await resource.patch(
        namespace,
        name!,
        "strategic",
        { metadata: { uid }, status },
        { subresource: "status" },
      );
    }
    await resource.delete(namespace, name!, {
      preconditions: { uid: uid! },
      ...(graceS !== undefined && { gracePeriodSeconds: graceS }),
    });
  } catch (error) {
    if (!isStatus(error, "NotFound") && !isStatus(error, "Conflict")) throw error;
  }
}
