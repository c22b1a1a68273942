import type { ScheduledPod } from "../node-info.ts";

/** Which of two pods has the better claim to its place: the higher priority, else the longer run. As `util.MoreImportantPod`. */
export function byImportance(a: ScheduledPod, b: ScheduledPod): number {
  return b.priority - a.priority || startMsOf(a) - startMsOf(b) || (a.key < b.key ? -1 : 1);
}

/** A pod that has not started yet has run for the shortest time. */
export const startMsOf = ({ pod }: ScheduledPod): number =>
  pod.status?.startTime ? Date.parse(pod.status.startTime) : Number.MAX_SAFE_INTEGER;
