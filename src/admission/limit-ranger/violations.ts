import { type corev1, podLimitAmounts, podRequestAmounts } from "../../api/index.ts";
import { parseQuantity } from "../../machinery/index.ts";
import { type Amounts, type Asked, aboveMax, aboveRatio, belowMin, requestAboveMax } from "./constraints.ts";

type Item = corev1.LimitRangeItem;
type Check = typeof belowMin;

/** What of a limit range a pod does not keep to. Pure. */
export function violationsOfPod({ spec }: corev1.Pod, range: corev1.LimitRange): string[] {
  const containers = [...spec!.containers, ...(spec!.initContainers ?? [])];
  return (range.spec.limits ?? []).flatMap((item) => {
    if (item.type === "Container")
      return containers.flatMap((container) => violations(item, askedBy(container.resources), aboveMax));
    if (item.type !== "Pod") return [];
    // The overhead is not the pod's own wish.
    const { overhead: _, ...own } = spec!;
    const asked = { requests: podRequestAmounts(own), limits: podLimitAmounts(own) };
    return violations(item, asked, aboveMax);
  });
}

/** What of a limit range a claim does not keep to; only what it requests counts. Pure. */
export function violationsOfClaim(claim: corev1.PersistentVolumeClaim, range: corev1.LimitRange): string[] {
  const { requests } = askedBy(claim.spec?.resources);
  return (range.spec.limits ?? [])
    .filter(({ type }) => type === "PersistentVolumeClaim")
    .flatMap(({ maxLimitRequestRatio: _, ...item }) =>
      violations(item, { requests, limits: {} }, requestAboveMax),
    );
}

function violations(item: Item, asked: Asked, max: Check): string[] {
  const found: string[] = [];
  const check = (list: Item["min"], broken: Check) => {
    for (const [resource, amount] of Object.entries(list ?? {})) {
      const why = broken(item.type, resource, parseQuantity(amount), asked);
      if (why) found.push(why);
    }
  };
  check(item.min, belowMin);
  check(item.max, max);
  check(item.maxLimitRequestRatio, aboveRatio);
  return found;
}

const askedBy = (resources: Pick<corev1.ResourceRequirements, "requests" | "limits"> | undefined): Asked => ({
  requests: amountsOf(resources?.requests),
  limits: amountsOf(resources?.limits),
});

const amountsOf = (list: Readonly<Record<string, string>> | undefined): Amounts =>
  Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
