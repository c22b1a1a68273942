import type { corev1 } from "../api/index.ts";
import { findCondition } from "../api/index.ts";
import { patchPodStatus, pods, type Transport } from "../client/index.ts";
import { formatTime, isStatus } from "../machinery/index.ts";

/*
 * What the scheduler writes. Each write carries the pod's uid: another pod may have taken the name meanwhile.
 */

type Condition = corev1.PodCondition;

export async function bindPod(transport: Transport, pod: corev1.Pod, node: string): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  await transport.request({
    verb: "create",
    resource: pods,
    subresource: "binding",
    namespace,
    name,
    body: {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    },
  });
}

export interface NotScheduled {
  /** `SchedulerError`: there is a node, but what was to be done before the pod is bound to it failed. */
  reason: "Unschedulable" | "SchedulerError";
  message: string;
  /** Null clears a nomination. */
  nominatedNodeName?: string | null;
}

/** Says in the pod's status why it has no node; writes nothing that is written already. */
export async function writeNotScheduled(
  transport: Transport,
  pod: corev1.Pod,
  { reason, message, nominatedNodeName }: NotScheduled,
  nowMs: number,
): Promise<void> {
  const known = findCondition(pod.status?.conditions, "PodScheduled");
  const isSaid = known?.status === "False" && known.reason === reason && known.message === message;
  const isNominated = (pod.status?.nominatedNodeName ?? null) === (nominatedNodeName ?? null);
  if (isSaid && (nominatedNodeName === undefined || isNominated)) return;
  const condition: Condition = {
    type: "PodScheduled",
    status: "False",
    reason,
    message,
    observedGeneration: pod.metadata.generation,
    lastTransitionTime: known?.status === "False" ? known.lastTransitionTime : formatTime(nowMs),
  };
  await patchPodStatus(transport, pod, {
    conditions: [condition],
    ...(nominatedNodeName !== undefined && { nominatedNodeName }),
  });
}

/** Says where the pod is about to run; null: nowhere. */
export async function nominateNode(
  transport: Transport,
  pod: corev1.Pod,
  node: string | null,
): Promise<void> {
  await patchPodStatus(transport, pod, { nominatedNodeName: node });
}

/** Marks a victim and deletes it, with its own grace period. Says whether it was still there to be deleted. */
export async function preemptPod(
  transport: Transport,
  victim: corev1.Pod,
  schedulerName: string,
  nowMs: number,
): Promise<boolean> {
  const { namespace, name, uid } = victim.metadata;
  const condition: Condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "PreemptionByScheduler",
    message: `${schedulerName}: preempting to accommodate a higher priority pod`,
    observedGeneration: victim.metadata.generation,
    lastTransitionTime: formatTime(nowMs),
  };
  try {
    await patchPodStatus(transport, victim, { conditions: [condition] });
    await transport.request({
      verb: "delete",
      resource: pods,
      namespace,
      name,
      options: { preconditions: { uid: uid! } },
    });
    return true;
  } catch (error) {
    if (isStatus(error, "NotFound") || isStatus(error, "Conflict")) return false;
    throw error;
  }
}
