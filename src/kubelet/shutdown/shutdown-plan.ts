import type { corev1 } from "../../api/index.ts";
import type { KubeletConfig } from "../config/fields.ts";

/** As scheduling.SystemCriticalPriority. */
const criticalPriority = 2_000_000_000;

/** Pods that end together, and how long they have. */
export interface ShutdownGroup {
  periodS: number;
  pods: readonly corev1.Pod[];
}

export const isGraceful = (config: KubeletConfig): boolean =>
  config.shutdownGracePeriod.ms > 0 || config.shutdownGracePeriodByPodPriority.length > 0;

/** In their order, the lowest first; groups without pods are left out. As upstream's groupByPriority. */
export function shutdownGroups(config: KubeletConfig, pods: readonly corev1.Pod[]): ShutdownGroup[] {
  const periods = periodsOf(config);
  const groups = periods.map(({ periodS }) => ({ periodS, pods: [] as corev1.Pod[] }));
  for (const pod of pods) {
    const priority = pod.spec!.priority ?? 0;
    // One below all of them goes with the lowest.
    groups[
      Math.max(
        periods.findLastIndex((each) => each.priority <= priority),
        0,
      )
    ]!.pods.push(pod);
  }
  return groups.filter((group) => group.pods.length > 0);
}

/** Sorted by the priority from which on each counts. */
function periodsOf(config: KubeletConfig): { priority: number; periodS: number }[] {
  const { shutdownGracePeriod: all, shutdownGracePeriodCriticalPods: critical } = config;
  const given = config.shutdownGracePeriodByPodPriority;
  if (given.length === 0)
    return [
      { priority: 0, periodS: wholeS(all.ms - critical.ms) },
      { priority: criticalPriority, periodS: wholeS(critical.ms) },
    ];
  return given
    .map(({ priority, shutdownGracePeriodSeconds }) => ({ priority, periodS: shutdownGracePeriodSeconds }))
    .sort((a, b) => a.priority - b.priority);
}

const wholeS = (ms: number) => Math.floor(ms / 1_000);

/** No pod has more time than it asks for itself. */
export const graceOf = ({ spec }: corev1.Pod, { periodS }: ShutdownGroup): number =>
  Math.min(spec!.terminationGracePeriodSeconds ?? periodS, periodS);
