import { startMsOf } from "./importance.ts";
import type { Candidate } from "./select-victims.ts";

/** All priorities above zero, so that more victims never count less. */
const priorityShift = 2 ** 31;

/** What makes a candidate worse, in the order in which it matters. As `pickOneNodeForPreemption`. */
const costs: readonly ((candidate: Candidate) => number)[] = [
  ({ violations }) => violations,
  ({ victims }) => victims[0]!.priority,
  ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + priorityShift, 0),
  ({ victims }) => victims.length,
  // The most important victims of the best node have started the latest.
  ({ victims }) => -Math.min(...victims.filter((v) => v.priority === victims[0]!.priority).map(startMsOf)),
];

/** Where preemption does the least harm; the first of equals. */
export function pickCandidate(candidates: readonly Candidate[]): Candidate {
  let best = candidates;
  for (const costOf of costs) {
    const least = Math.min(...best.map(costOf));
    best = best.filter((candidate) => costOf(candidate) === least);
    if (best.length === 1) break;
  }
  return best[0]!;
}
