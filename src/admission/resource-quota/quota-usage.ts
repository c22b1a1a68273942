import type { corev1 } from "../../api/index.ts";
import type { KubeObject } from "../../machinery/index.ts";
import { isSame, only, sum, textsOf, type Usage, usageOf } from "./amounts.ts";
import type { Evaluator } from "./evaluator.ts";
import { selectorsOf } from "./scopes.ts";

type Quota = corev1.ResourceQuota;

/** Whether objects of an evaluator's resource have anything that a quota limits. */
export const isAbout = ({ spec }: Quota, evaluator: Evaluator): boolean =>
  Object.keys(spec.hard ?? {}).some((name) => evaluator.counts(name));

/** What a quota's status should say, given all objects that it may be about; undefined when it says so. Pure. */
export function quotaStatus(
  quota: Quota,
  content: readonly { evaluator: Evaluator; objects: readonly KubeObject[] }[],
  nowMs: number,
): corev1.ResourceQuotaStatus | undefined {
  const hard = quota.spec.hard ?? {};
  const selectors = selectorsOf(quota.spec);
  let used: Usage = {};
  for (const { evaluator, objects } of content) {
    const zeros = Object.keys(hard).filter((name) => evaluator.counts(name));
    used = sum(used, usageOf(Object.fromEntries(zeros.map((name) => [name, "0"]))));
    for (const object of objects)
      if (selectors.every((selector) => evaluator.isInScope(selector, object)))
        used = sum(
          used,
          only(evaluator.usage(object, nowMs), (name) => name in hard),
        );
  }
  // What nothing counts (yet) stays as it was.
  const before = only(usageOf(quota.status?.used), (name) => name in hard);
  const all = { ...before, ...used };
  const { status } = quota;
  const isUpToDate =
    status?.hard !== undefined &&
    status.used !== undefined &&
    isSame(usageOf(status.hard), usageOf(hard)) &&
    isSame(usageOf(status.used), all);
  return isUpToDate ? undefined : { hard, used: textsOf(all) };
}
