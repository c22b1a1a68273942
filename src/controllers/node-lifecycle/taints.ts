import type { corev1 } from "../../api/index.ts";
import { formatTime } from "../../machinery/index.ts";
import { readyStatus } from "./health.ts";

type Taint = corev1.Taint;

const notReady = "node.kubernetes.io/not-ready";
const unreachable = "node.kubernetes.io/unreachable";
const unschedulable = "node.kubernetes.io/unschedulable";

/** Which taint stands for which status of a condition. */
const taintsOf: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Ready: { False: notReady, Unknown: unreachable },
  MemoryPressure: { True: "node.kubernetes.io/memory-pressure" },
  DiskPressure: { True: "node.kubernetes.io/disk-pressure" },
  PIDPressure: { True: "node.kubernetes.io/pid-pressure" },
  NetworkUnavailable: { True: "node.kubernetes.io/network-unavailable" },
};
/** Those that this controller adds and takes away. */
const ownNoSchedule = new Set([
  ...Object.values(taintsOf).flatMap((each) => Object.values(each)),
  unschedulable,
]);
const ownNoExecute = new Set([notReady, unreachable]);

/** What keeps new pods from a node, by its conditions and whether it is cordoned. */
export function noScheduleKeys(node: corev1.Node): string[] {
  const keys = (node.status?.conditions ?? []).map(({ type, status }) => taintsOf[type]?.[status]);
  if (node.spec?.unschedulable) keys.push(unschedulable);
  return keys.filter((key) => key !== undefined);
}

/** What drives pods off a node that is not ready. */
export function noExecuteKey(node: corev1.Node): string | undefined {
  const status = readyStatus(node);
  return status === undefined ? undefined : taintsOf.Ready![status];
}

export const hasNoExecute = (node: corev1.Node, key?: string): boolean =>
  (node.spec?.taints ?? []).some(
    (taint) => taint.effect === "NoExecute" && (key ? taint.key === key : ownNoExecute.has(taint.key)),
  );

/**
 * The taints that a node should have: those of others, and our own as given. Undefined when it has just them. A taint
 * that stays keeps its time. Pure.
 */
export function tainted(
  node: corev1.Node,
  wanted: { noSchedule: readonly string[]; noExecute: string | undefined },
  nowMs: number,
): Taint[] | undefined {
  const before = node.spec?.taints ?? [];
  const isWanted = ({ key, effect }: Taint) =>
    effect === "NoSchedule" ? wanted.noSchedule.includes(key) : key === wanted.noExecute;
  const isOwn = ({ key, effect }: Taint) =>
    (effect === "NoSchedule" && ownNoSchedule.has(key)) || (effect === "NoExecute" && ownNoExecute.has(key));
  const kept = before.filter((taint) => !isOwn(taint) || isWanted(taint));
  const missing: Taint[] = [
    ...wanted.noSchedule.map((key): Taint => ({ key, effect: "NoSchedule" })),
    ...(wanted.noExecute ? [{ key: wanted.noExecute, effect: "NoExecute" } as Taint] : []),
  ].filter(({ key, effect }) => !kept.some((taint) => taint.key === key && taint.effect === effect));
  if (missing.length === 0 && kept.length === before.length) return undefined;
  return [...kept, ...missing.map((taint) => ({ ...taint, timeAdded: formatTime(nowMs) }))];
}
