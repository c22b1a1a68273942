import { baselineChecks } from "./baseline.ts";
import type { Check, PodLike, Violation } from "./check.ts";
import type { LevelVersion } from "./policy.ts";
import { restrictedChecks } from "./restricted.ts";

const byId = (a: Check, b: Check) => (a.id < b.id ? -1 : 1);
/** In the order in which violations are told. */
const baseline = [...baselineChecks].sort(byId);
const restricted = [...restrictedChecks].sort(byId);

/** What a pod asks for that the level, as it was in that version, does not allow. Pure. */
export function violationsOf({ level, version }: LevelVersion, pod: PodLike): Violation[] {
  if (level === "privileged") return [];
  const formOf = ({ versions }: Check) => versions.findLast(({ since }) => since <= version);
  const own = level === "restricted" ? restricted.flatMap((check) => formOf(check) ?? []) : [];
  const overridden = new Set(own.flatMap(({ overrides }) => overrides ?? []));
  const common = baseline.filter(({ id }) => !overridden.has(id)).flatMap((check) => formOf(check) ?? []);
  return [...common, ...own].flatMap(({ check }) => check(pod) ?? []);
}

/** Of one pod: with the names of what is at fault. */
export const explain = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(", ");

/** Of many pods: what they have in common. */
export const summarise = (violations: readonly Violation[]): string =>
  violations.map(({ reason }) => reason).join(", ");
