import type { corev1 } from "../../api/index.ts";
import { kubeletConditions } from "./conditions.ts";

/** What the agent owns of a pod's status; other fields are never touched. */
const owned = [
  "observedGeneration",
  "phase",
  "reason",
  "message",
  "hostIP",
  "podIP",
  "startTime",
  "qosClass",
  "initContainerStatuses",
  "containerStatuses",
  "ephemeralContainerStatuses",
  "allocatedResources",
  "resources",
] as const;

/** Lists that a strategic merge patch would merge by `ip`: replaced as a whole. */
const replaced = ["hostIPs", "podIPs"] as const;

/**
 * The strategic merge patch that makes `written` into `wanted`, as far as the agent owns it; undefined for none.
 * Conditions are merged by type, so those of others stay.
 */
export function statusPatch(
  written: corev1.PodStatus,
  wanted: corev1.PodStatus,
): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const field of owned) {
    if (!same(written[field], wanted[field])) patch[field] = wanted[field] ?? null;
  }
  for (const field of replaced) {
    if (!same(written[field] ?? [], wanted[field] ?? [])) {
      patch[field] = [...(wanted[field] ?? []), { $patch: "replace" }];
    }
  }
  const conditions = (wanted.conditions ?? []).filter(
    ({ type }) => kubeletConditions.includes(type) || type === "DisruptionTarget",
  );
  const before = new Map((written.conditions ?? []).map((condition) => [condition.type, condition]));
  const changed = conditions.filter(
    (condition) => !same(stripped(before.get(condition.type)), stripped(condition)),
  );
  const wantedTypes = new Set(conditions.map(({ type }) => type));
  const ended = [...before.keys()].filter(
    (type) => kubeletConditions.includes(type) && !wantedTypes.has(type),
  );
  if (changed.length > 0 || ended.length > 0) {
    patch.conditions = [
      ...changed.map((condition) => ({ ...condition, ...cleared(before.get(condition.type), condition) })),
      ...ended.map((type) => ({ type, $patch: "delete" })),
    ];
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** Merging keeps what the patch does not name: what is to go is named null. */
function cleared(before: corev1.PodCondition | undefined, after: corev1.PodCondition): Record<string, null> {
  const gone: Record<string, null> = {};
  for (const field of ["reason", "message"] as const) {
    if (before?.[field] !== undefined && after[field] === undefined) gone[field] = null;
  }
  return gone;
}

/** The API may show a probe time of null, which says nothing. */
function stripped(condition: corev1.PodCondition | undefined) {
  if (!condition) return undefined;
  const { lastProbeTime: _lastProbeTime, ...rest } = condition;
  return rest;
}

/** As JSON would say it: a field that is undefined is absent, and null is said. Nothing is copied to find out. */
function same(a: unknown, b: unknown): boolean {
  return (a ?? undefined) === (b ?? undefined) || sameJson(a, b);
}

function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, i) => sameJson(item, b[i]))
    );
  }
  return sameFields(a as Record<string, unknown>, b as Record<string, unknown>);
}

function sameFields(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  for (const key in a) if (!sameJson(a[key], b[key])) return false;
  for (const key in b) if (b[key] !== undefined && a[key] === undefined) return false;
  return true;
}
