import type { corev1 } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";

/** How a pod's resize is, as its status tells. */
export interface ResizeConditions {
  /** It is not given what it asks for (yet). */
  pending?: corev1.PodCondition;
  /** It was given it, and it is not in force (yet). */
  inProgress?: corev1.PodCondition;
}

interface News {
  conditions: ResizeConditions;
  /** Whether there is something to tell. */
  isNews: boolean;
}

/** As the status manager's SetPodResizePendingCondition: told anew when the reason or the generation is another one. */
export function withPending(
  before: ResizeConditions,
  given: { message: string; generation: number },
  nowMs: number,
): News {
  const pending = condition("PodResizePending", before.pending, { reason: "Deferred", ...given }, nowMs);
  return {
    conditions: { ...before, pending },
    isNews:
      before.pending?.reason !== pending.reason ||
      before.pending?.observedGeneration !== pending.observedGeneration,
  };
}

export function withoutPending({ pending: _, ...rest }: ResizeConditions): ResizeConditions {
  return rest;
}

/**
 * As SetPodResizeInProgressCondition: one that is there keeps its generation, and its error unless there is another.
 */
export function withInProgress(
  before: ResizeConditions,
  given: { error?: string; generation: number },
  nowMs: number,
): News {
  const old = before.inProgress;
  const reason = given.error === undefined ? old?.reason : "Error";
  const message = given.error ?? old?.message;
  const generation = old?.observedGeneration ?? given.generation;
  const inProgress = condition("PodResizeInProgress", old, { reason, message, generation }, nowMs);
  return {
    conditions: { ...before, inProgress },
    isNews: old?.reason !== inProgress.reason || old?.message !== inProgress.message,
  };
}

export function withoutInProgress({ inProgress: _, ...rest }: ResizeConditions): ResizeConditions {
  return rest;
}

export function listed({ pending, inProgress }: ResizeConditions): corev1.PodCondition[] {
  return [pending, inProgress].filter((each) => each !== undefined);
}

/** What an earlier agent told. */
export function conditionsIn(status: corev1.PodStatus | undefined): ResizeConditions {
  const find = (type: string) => status?.conditions?.find((each) => each.type === type);
  const pending = find("PodResizePending");
  const inProgress = find("PodResizeInProgress");
  return { ...(pending && { pending }), ...(inProgress && { inProgress }) };
}

function condition(
  type: string,
  before: corev1.PodCondition | undefined,
  { reason, message, generation }: { reason?: string; message?: string; generation: number },
  nowMs: number,
): corev1.PodCondition {
  const now = formatTime(nowMs);
  return {
    type,
    status: "True",
    ...(reason && { reason }),
    ...(message && { message }),
    observedGeneration: generation,
    lastProbeTime: now,
    lastTransitionTime: before && before.reason === reason ? (before.lastTransitionTime ?? now) : now,
  };
}
