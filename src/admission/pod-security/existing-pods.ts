import type { corev1 } from "../../api/index.ts";
import type { Clock } from "../../base/index.ts";
import { summarise, violationsOf } from "./evaluate.ts";
import { formatPolicy, type LevelVersion } from "./policy.ts";

/** As upstream: a namespace's labels are changed by a person, who waits; the first of its pods say enough. */
const podsCheckedMax = 3_000;
const checkMsMax = 1_000;

/** What to tell who makes a namespace stricter: which of its pods would not be let in any more. */
export function existingPodWarnings(
  namespace: string,
  pods: readonly corev1.Pod[],
  enforce: LevelVersion,
  clock: Clock,
): string[] {
  const all = oneOfEachControllerFirst(pods);
  const byViolation = new Map<string, string[]>();
  const limitMs = clock.monotonicMs() + checkMsMax;
  let checked = 0;
  for (const { metadata, spec } of all.slice(0, podsCheckedMax)) {
    checked++;
    const violations = violationsOf(enforce, { annotations: metadata.annotations ?? {}, spec });
    if (violations.length > 0) {
      const what = summarise(violations);
      byViolation.set(what, [...(byViolation.get(what) ?? []), metadata.name!]);
    }
    if (clock.monotonicMs() > limitMs) break;
  }
  const warnings: string[] = [];
  if (checked < all.length)
    warnings.push(
      `new PodSecurity enforce level only checked against the first ${checked} of ${all.length} existing pods`,
    );
  if (byViolation.size > 0)
    warnings.push(
      `existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${formatPolicy(enforce)}"`,
    );
  return [...warnings, ...[...byViolation].map(([what, names]) => `${shown(names)}: ${what}`).sort()];
}

function shown(names: readonly string[]): string {
  const [first] = [...names].sort();
  const others = names.length - 1;
  if (others === 0) return first!;
  return others === 1 ? `${first} (and 1 other pod)` : `${first} (and ${others} other pods)`;
}

/** Those of one controller are alike. */
function oneOfEachControllerFirst(pods: readonly corev1.Pod[]): corev1.Pod[] {
  const seen = new Set<string>();
  const [first, more]: [corev1.Pod[], corev1.Pod[]] = [[], []];
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid;
    if (owner !== undefined && seen.has(owner)) more.push(pod);
    else first.push(pod);
    if (owner !== undefined) seen.add(owner);
  }
  return [...first, ...more];
}
