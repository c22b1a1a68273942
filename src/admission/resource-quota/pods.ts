import { type corev1, isPodTerminal, podLimitAmounts, podRequestAmountsInUse } from "../../api/index.ts";
import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import { one, sum, type Usage } from "./amounts.ts";
import type { Evaluator } from "./evaluator.ts";
import { hasDeadline, podInScope } from "./scopes.ts";

const countName = "count/pods";
const computeNames = ["cpu", "memory", "ephemeral-storage"];
const names: ReadonlySet<string> = new Set([
  countName,
  "pods",
  ...computeNames.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
/** Where these are limited, each container has to say how much it takes. */
const mustBeSaid = ["cpu", "memory"].flatMap((name) => [name, `requests.${name}`, `limits.${name}`]);

/** Counterpart upstream: `pkg/quota/v1/evaluator/core.podEvaluator`. */
export const podEvaluator: Evaluator<corev1.Pod> = {
  counts: (name) =>
    names.has(name) ||
    name.startsWith("hugepages-") ||
    name.startsWith("requests.hugepages-") ||
    // `requests.example.com/gpu`
    (name.startsWith("requests.") && name.includes("/")),
  usage: (pod, nowMs) => {
    const stored = { [countName]: one };
    if (!isCharged(pod, nowMs)) return stored;
    return sum(stored, computeUsage(podRequestAmountsInUse(pod), podLimitAmounts(pod.spec!)));
  },
  isInScope: podInScope,
  lacks(limited, { spec }) {
    // What the pod says for itself is enough.
    if (Object.keys({ ...spec!.resources?.requests, ...spec!.resources?.limits }).length > 0)
      return undefined;
    const required = mustBeSaid.filter((name) => limited.includes(name));
    const missing = new Map<string, string[]>();
    for (const { name, resources } of [...spec!.containers, ...(spec!.initContainers ?? [])]) {
      const said = computeUsage(quantities(resources?.requests), quantities(resources?.limits));
      for (const each of required)
        if (!(each in said)) missing.set(each, [...(missing.get(each) ?? []), name]);
    }
    if (missing.size === 0) return undefined;
    const lines = [...missing].sort(([a], [b]) => (a < b ? -1 : 1));
    return `must specify ${lines.map(([name, containers]) => `${name} for: ${containers.sort().join(",")}`).join("; ")}`;
  },
  handles({ operation, subresource, object, old }) {
    if (subresource === "resize") return operation === "UPDATE";
    if (subresource !== undefined) return false;
    if (operation !== "UPDATE") return operation === "CREATE";
    // It moves from one scope to another.
    return hasDeadline(object as corev1.Pod) !== hasDeadline(old as corev1.Pod);
  },
};

/** Not what has ended, nor what should be gone: nobody would be let in for pods of a node that is lost. */
export function isCharged(pod: corev1.Pod, nowMs: number): boolean {
  if (isPodTerminal(pod)) return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return true;
  return nowMs <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1_000;
}

function computeUsage(requests: Usage, limits: Usage): Usage {
  const usage: Record<string, Quantity> = { pods: one };
  for (const name of computeNames) {
    if (requests[name]) usage[name] = usage[`requests.${name}`] = requests[name];
    if (limits[name]) usage[`limits.${name}`] = limits[name];
  }
  for (const [name, amount] of Object.entries(requests)) {
    if (name.startsWith("hugepages-")) usage[name] = usage[`requests.${name}`] = amount;
    else if (name.includes("/")) usage[`requests.${name}`] = amount;
  }
  return usage;
}

const quantities = (list: Readonly<Record<string, string>> | undefined): Usage =>
  Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
