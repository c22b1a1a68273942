import { type corev1, qosClassOf } from "../../api/index.ts";
import type { Refusal } from "../admission/admit.ts";
import { isCritical } from "./critical.ts";
import { evictedReason } from "./message.ts";
import type { PressureCondition } from "./signals.ts";

const memoryPressureTaint = "node.kubernetes.io/memory-pressure";

/** Whether a node under pressure takes one more pod. As the eviction manager's Admit. */
export function admitUnderPressure(
  pod: corev1.Pod,
  conditions: readonly PressureCondition[],
): Refusal | undefined {
  if (conditions.length === 0 || isCritical(pod)) return undefined;
  const isMemoryAlone = conditions.length === 1 && conditions[0] === "MemoryPressure";
  if (isMemoryAlone && (qosClassOf(pod) !== "BestEffort" || toleratesMemoryPressure(pod))) return undefined;
  return { reason: evictedReason, message: `The node had condition: [${conditions.join(" ")}]. ` };
}

function toleratesMemoryPressure({ spec }: corev1.Pod): boolean {
  return (spec!.tolerations ?? []).some(
    ({ effect, key, operator = "Equal", value = "" }) =>
      (!effect || effect === "NoSchedule") &&
      (!key ? operator === "Exists" : key === memoryPressureTaint) &&
      (operator === "Exists" || (operator === "Equal" && value === "")),
  );
}
