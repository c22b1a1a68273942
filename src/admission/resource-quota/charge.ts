import type { corev1 } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import { above, only, shown, sum, surplus, textsOf, type Usage, usageOf, withoutZeros } from "./amounts.ts";
import type { Evaluator } from "./evaluator.ts";
import { selectorsOf } from "./scopes.ts";

type Quota = corev1.ResourceQuota;

/** A write as quotas see it. */
export interface Charged {
  evaluator: Evaluator;
  object: KubeObject;
  /** What was there before, for an update. */
  old?: KubeObject;
  /** A status is reported, not asked for: it counts, but is never refused. */
  isStatus: boolean;
}

export type Charge =
  /** The quota has nothing to do with it. */
  | { is: "free" }
  /** What the quota's status says from now on. */
  | { is: "charged"; used: Record<string, string> }
  | { is: "refused"; why: string };

/** What a write takes of a quota. Pure. As `CheckRequest`, for one quota. */
export function charge(quota: Quota, { evaluator, object, old, isStatus }: Charged, nowMs: number): Charge {
  if (!counts(quota, evaluator, object)) return { is: "free" };
  const name = quota.metadata.name!;
  const hard = usageOf(quota.status?.hard);
  const limited = Object.keys(hard).filter((each) => evaluator.counts(each));
  const lacking = evaluator.lacks(limited, object);
  if (lacking) return { is: "refused", why: `failed quota: ${name}: ${lacking}` };
  const used = usageOf(quota.status?.used);
  if (limited.some((each) => !(each in used))) {
    const resources = [...limited].sort().join(",");
    return { is: "refused", why: `status unknown for quota: ${name}, resources: ${resources}` };
  }
  const usage = evaluator.usage(object, nowMs);
  const negative = Object.keys(usage).filter((each) => usage[each]!.sign < 0);
  if (negative.length > 0)
    return { is: "refused", why: `quota usage is negative for resource(s): ${negative.sort().join(",")}` };
  const wasCounted = old !== undefined && counts(quota, evaluator, old);
  const delta: Usage = withoutZeros(wasCounted ? surplus(usage, evaluator.usage(old, nowMs)) : usage);
  const asked = only(delta, (each) => each in hard);
  if (Object.keys(asked).length === 0) return { is: "free" };
  const after = sum(used, asked);
  const exceeded = above(
    only(after, (each) => each in asked),
    hard,
  );
  if (exceeded.length > 0 && !isStatus) {
    const of = (list: Usage) => shown(only(list, (each) => exceeded.includes(each)));
    return {
      is: "refused",
      why: `exceeded quota: ${name}, requested: ${of(asked)}, used: ${of(used)}, limited: ${of(hard)}`,
    };
  }
  return { is: "charged", used: textsOf(after) };
}

/** Whether a quota is about an object: something of it is limited, and it is in all of the quota's scopes. */
export function counts({ spec, status }: Quota, evaluator: Evaluator, object: KubeObject): boolean {
  const hard = status?.hard ?? spec.hard ?? {};
  return (
    Object.keys(hard).some((name) => evaluator.counts(name)) &&
    selectorsOf(spec).every((selector) => evaluator.isInScope(selector, object))
  );
}
